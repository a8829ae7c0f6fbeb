/**
 * A reply's Markdown as the HTML that a Campfire room keeps on screen. Campfire reads a post as HTML, shows newlines as
 * spaces and removes every element that it does not know with all that is inside: so raw HTML in the Markdown is text
 * (`Map<String, X>` is shown as it was written), and what comes out has nothing but the tags below.
 */
import { Marked, type Tokens } from 'marked';
import sanitizeHtml from 'sanitize-html';
import { toPlainText } from './plain-text.ts';
import { renderTable } from './render-table.ts';

/** Every tag that a reply may hold; all of them survive in a room. */
export const REPLY_TAGS = [
  ...['p', 'br', 'div', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'],
  ...['strong', 'em', 'del', 'code', 'pre', 'a', 'ul', 'ol', 'li', 'blockquote'],
];
export const LINK_SCHEMES = ['http', 'https', 'mailto'];

/** Campfire links the addresses that it finds in a text itself, in a new tab; our own link would leave the chat. */
export type BareUrls = 'left' | 'linked';

/** Longer texts, and words with an @ longer than that, are shown as they are: parsing them could take seconds. */
const MOST_MARKDOWN = 100_000;
const LONGEST_ADDRESS = 2_000;

/** The HTML of a reply; `''` when it has nothing visible. */
export function renderReply(markdown: string, bareUrls: BareUrls = 'left'): string {
  const text = cleaned(markdown);
  if (!isVisible(text)) return '';
  const html = parsed(text, bareUrls);
  // A lone link definition or rule leaves no words behind: then what was written is shown.
  return withoutSound(isVisible(toPlainText(html)) ? html : literal(text));
}

/** NUL and its kin mean nothing in a room and break parsers. */
function cleaned(markdown: string): string {
  return markdown
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/(?![\n\t])\p{Cc}/gu, '');
}

function parsed(text: string, bareUrls: BareUrls): string {
  if (text.length > MOST_MARKDOWN || hasEndlessAddress(text)) return literal(text);
  try {
    return sanitized(MARKDOWN[bareUrls].parse(text, { async: false }));
  } catch (error) {
    // Thousands of nested quotes or lists exhaust the parser's stack; nobody writes them to be read.
    if (error instanceof RangeError) return literal(text);
    throw error;
  }
}

function hasEndlessAddress(text: string): boolean {
  return text.split(/\s+/).some((word) => word.length > LONGEST_ADDRESS && word.includes('@'));
}

/** What the renderer below puts out is clean already; this holds should the Markdown library ever let something by. */
export function sanitized(html: string): string {
  return sanitizeHtml(html, {
    allowedTags: REPLY_TAGS,
    allowedAttributes: { a: ['href'] },
    allowedSchemes: LINK_SCHEMES,
    allowProtocolRelative: false,
    disallowedTagsMode: 'discard',
  })
    .replaceAll('<br />', '<br>')
    .replaceAll('<hr />', '<hr>');
}

function literal(text: string): string {
  return escapeHtml(text).replaceAll('\n', '<br>');
}

/** A post whose plain text is `/play <name>` plays a sound to the whole room, tags around it or not. */
function withoutSound(html: string): string {
  if (!/^\/play\s+\S+$/u.test(toPlainText(html).trim())) return html;
  return html.replace(/^((?:<[^>]*>|\s)*\/)/, '$1\u2060');
}

function isVisible(text: string): boolean {
  return /[^\s\p{C}\u3164\u115f\u1160\u2800]/u.test(text);
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function markdownFor(bareUrls: BareUrls): Marked {
  return new Marked({
    gfm: true,
    breaks: true,
    tokenizer: {
      // No token means that the text is only text.
      html: () => undefined,
      tag: () => undefined,
      // One tilde is "about" or, between numbers, "to": `3~5 days, 6~8 days` strikes nothing out.
      del: (src) => (src.startsWith('~~') ? false : undefined),
    },
    extensions: [boldBesideCjk],
    renderer: {
      // The newline keeps words apart in plain text, where these elements add none; on screen it is nothing.
      code: ({ text }) => (text.trim() === '' ? '' : `${preformatted(text)}\n`),
      table: (table) => `${preformatted(renderTable(table))}\n`,
      heading({ tokens, depth }) {
        return `<h${depth}>${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      hr: () => '<hr>\n',
      paragraph({ tokens }) {
        return `<p>${this.parser.parseInline(tokens)}</p>`;
      },
      blockquote({ tokens }) {
        return `<blockquote>${this.parser.parse(tokens)}</blockquote>`;
      },
      list(list) {
        const items = list.items.map((item) => this.parser.parse(item.tokens).trim());
        if (!list.ordered) return `<ul>${items.map((item) => `<li>${item}</li>`).join('')}</ul>`;
        const start = Number(list.start);
        if (start === 1) return `<ol>${items.map((item) => `<li>${item}</li>`).join('')}</ol>`;
        // A room drops `start` and would count from one again.
        return items.map((item, at) => `<div>${item.replace(/^(<p>)?/, `$1${start + at}. `)}</div>`).join('');
      },
      checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
      link(link) {
        return renderLink(link, () => this.parser.parseInline(link.tokens), bareUrls);
      },
      image: ({ href, text }) =>
        isSafeLink(href) ? anchor(href, escapeHtml(text || href)) : escapeHtml(text),
    },
  });
}

function preformatted(text: string): string {
  return `<pre>${escapeHtml(text)}</pre>`;
}

function renderLink(link: Tokens.Link, label: () => string, bareUrls: BareUrls): string {
  if (!isSafeLink(link.href)) return label();
  const isBare = link.autolink === true || link.text === link.href;
  if (isBare && bareUrls === 'left') return escapeHtml(link.text);
  return anchor(link.href, isBare ? escapeHtml(link.text) : label());
}

function isSafeLink(href: string): boolean {
  return /^(?:https?:\/\/|mailto:)[^\s]+$/i.test(href);
}

/** Character references of a written link are left for the sanitizer to read, as a browser would. */
function anchor(href: string, label: string): string {
  return `<a href="${href.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}">${label}</a>`;
}

/**
 * `**注意：**请` is no bold by the letter of CommonMark (a punctuation mark before the end, a letter after it), and is
 * what models write in Chinese and Japanese all the time.
 */
const boldBesideCjk = {
  name: 'strong',
  level: 'inline' as const,
  tokenizer(this: { lexer: { inlineTokens(src: string): Tokens.Strong['tokens'] } }, src: string) {
    const match = /^\*\*([^\s*`](?:[^*`\n]*[^\s*`])?)\*\*(?!\*)/.exec(src);
    if (match === null) return undefined;
    const [raw, text] = [match[0], match[1] ?? ''];
    return { type: 'strong', raw, text, tokens: this.lexer.inlineTokens(text) };
  },
};

const MARKDOWN: Readonly<Record<BareUrls, Marked>> = {
  left: markdownFor('left'),
  linked: markdownFor('linked'),
};

const SAMPLE = '# A\n\nB **c** `d` [e](http://f)\n\n- g\n\n> h\n\n| i |\n|---|\n| j |\n\n```\nk\n```\n';

/** Has the renderer's expressions compiled, at their first and second use, before a reply waits for that. */
export function warmRenderer(): void {
  for (const bareUrls of ['left', 'linked'] as const) renderReply(SAMPLE, bareUrls);
}
