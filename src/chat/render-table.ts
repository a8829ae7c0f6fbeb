import type { Token, Tokens } from 'marked';

/** Wider cells stick out instead of padding every row: a room shows it by scrolling sideways. */
const WIDEST_PADDED = 40;

/** A table as lines of text whose columns stand under each other: rooms remove table elements with their content. */
export function renderTable(table: Tokens.Table): string {
  const rows = [table.header, ...table.rows].map((row) => row.map((cell) => cellText(cell.tokens)));
  const widths = table.header.map((_, column) =>
    Math.min(WIDEST_PADDED, Math.max(3, ...rows.map((row) => columnsOf(row[column] ?? '')))),
  );
  const [header = '', ...body] = rows.map((row) =>
    widths
      .map((width, column) => padded(row[column] ?? '', width, table.align[column] ?? null))
      .join(' | ')
      .trimEnd(),
  );
  return [header, widths.map((width) => '-'.repeat(width)).join('-+-'), ...body].join('\n');
}

/** The words of a cell on one line; a link keeps its address, which the element around it would have held. */
function cellText(tokens: readonly Token[]): string {
  return tokens
    .map(inlineText)
    .join('')
    .replace(/<br\s*\/?>/gi, ' / ')
    .replace(/\s+/g, ' ')
    .trim();
}

function inlineText(token: Token): string {
  if (token.type === 'br') return ' / ';
  const text = 'tokens' in token && token.tokens ? token.tokens.map(inlineText).join('') : textOf(token);
  if (token.type !== 'link' && token.type !== 'image') return text;
  return token.href === text || ('autolink' in token && token.autolink === true)
    ? text
    : `${text} (${token.href})`;
}

/** A text token still has the character references that were written in it; a code span has none. */
function textOf(token: Token): string {
  const text: string = 'text' in token ? token.text : token.raw;
  if (token.type !== 'text') return text;
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&amp;', '&');
}

function padded(text: string, width: number, align: 'center' | 'left' | 'right' | null): string {
  const missing = Math.max(0, width - columnsOf(text));
  const before = align === 'right' ? missing : align === 'center' ? Math.floor(missing / 2) : 0;
  return ' '.repeat(before) + text + ' '.repeat(missing - before);
}

/** Columns that a text takes in a fixed-width font: two for Chinese, Japanese, Korean and emoji. */
export function columnsOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) columns += isWide(segment) ? 2 : 1;
  return columns;
}

function isWide(grapheme: string): boolean {
  return /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u.test(
    grapheme,
  );
}
