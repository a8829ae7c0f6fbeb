/**
 * The plain text that Campfire makes of a message's HTML: what its list endpoint and its search index give back, and
 * what its sound command is matched against. `test/fixtures/campfire/posts.json` holds what a real one made.
 *
 * Written for the HTML that `render.ts` puts out (balanced, every `<` of a text escaped); other HTML comes out nearly
 * right, which is enough for texts that are only compared by their words.
 */

type Frame = { readonly tag: string; text: string; items: number };

const LISTS = new Set(['ul', 'ol']);
/** Elements without an end: all but `br` leave no text. */
const VOID = new Set(['br', 'hr', 'img', 'input', 'wbr']);
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
};

export function toPlainText(html: string): string {
  const open: Frame[] = [{ tag: '', text: '', items: 0 }];
  for (const part of html.split(/(<!--[\s\S]*?-->|<\/?[a-zA-Z][^>]*>)/)) {
    const tag = /^<(\/?)([a-zA-Z][\w-]*)/.exec(part);
    if (part.startsWith('<!--')) continue;
    if (tag === null) open.at(-1)!.text += decodeEntities(part);
    else if (tag[1] === '/') close(open, tag[2]!.toLowerCase());
    else if (tag[2]!.toLowerCase() === 'br') open.at(-1)!.text += '\n';
    else if (!VOID.has(tag[2]!.toLowerCase())) open.push({ tag: tag[2]!.toLowerCase(), text: '', items: 0 });
  }
  while (open.length > 1) closeInnermost(open);
  return withoutLastNewlines(open[0]!.text);
}

/** Closes the innermost element of that name and whatever is open inside it; an end without a start is nothing. */
function close(open: Frame[], tag: string): void {
  const depth = open.findLastIndex((frame) => frame.tag === tag);
  if (depth < 1) return;
  while (open.length > depth) closeInnermost(open);
}

function closeInnermost(open: Frame[]): void {
  const frame = open.pop()!;
  const parent = open.at(-1)!;
  if (frame.tag === 'li') parent.items += 1;
  const lists = open.filter(({ tag }) => LISTS.has(tag)).length;
  parent.text += asText(frame, parent, lists);
}

/** `lists`: how many lists stand around the element, its own not counted. */
function asText(frame: Frame, parent: Frame, lists: number): string {
  const text = withoutLastNewlines(frame.text);
  switch (frame.tag) {
    case 'p':
    case 'h1':
      return `${text}\n\n`;
    case 'div':
      return `${text}\n`;
    case 'blockquote':
      return `“${text.trim()}”\n\n`;
    case 'ul':
    case 'ol':
      return lists > 0 ? `\n${text}` : `${text}\n\n`;
    case 'li':
      return `${'  '.repeat(Math.max(0, lists - 1))}${parent.tag === 'ol' ? `${parent.items}.` : '•'} ${text}\n`;
    case 'figcaption':
      return `[${text.trim()}]`;
    case 'script':
    case 'style':
      return '';
    default:
      return frame.text;
  }
}

function withoutLastNewlines(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === '\n') end -= 1;
  return text.slice(0, end);
}

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,4}));/g,
    (whole, decimal, hex, name) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const point = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}
