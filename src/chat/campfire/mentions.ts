/** Who is mentioned in a message's HTML, and its text as a bot's webhook carries it. */

/** A mention in any of the forms that Campfire keeps or renders; only its `sgid` says whom it means. */
const SGID = /\bsgid="([\w+/=%-]{1,1000})"/g;
/** One for each mention: rendered ones hold their `sgid` a second time, on an element inside. */
const MENTION = /<action-text-attachment\b[^>]{0,2000}?\bsgid="([\w+/=%-]{1,1000})"/g;
/** The end of a text of nothing but white space is looked for by hand: a pattern would read a long run again and again. */
const SPACE = /^\p{White_Space}$/u;

/** Whether the user is mentioned. A forged mention counts: its signature is Campfire's to check. */
export function mentions(html: string, userId: number): boolean {
  return [...html.matchAll(SGID)].some(([, sgid = '']) => userOf(sgid) === userId);
}

/** How many mentions of people and bots there are. */
export function countMentions(html: string): number {
  return [...html.matchAll(MENTION)].filter(([, sgid = '']) => userOf(sgid) !== null).length;
}

/** The name that a rendered mention of the user shows; null when there is none. */
export function renderedName(html: string, userId: number): string | null {
  const link = new RegExp(
    `<a\\b[^>]{0,500}?\\btitle="([^"]{1,500})"[^>]{0,500}?\\bhref="/users/${userId}"`,
  ).exec(html);
  return link === null ? null : decodeAttribute(link[1] ?? '');
}

/** The message's plain text with the bot's own name cut out and its ends trimmed: what Campfire sends as `plain`. */
export function withoutOwnName(plainText: string, name: string | null): string {
  const text = name === null || name === '' ? plainText : plainText.replaceAll(`@${name}`, '');
  let start = 0;
  let end = text.length;
  while (start < end && SPACE.test(text[start] ?? '')) start += 1;
  while (end > start && SPACE.test(text[end - 1] ?? '')) end -= 1;
  return text.slice(start, end);
}

/** `<base64 of {"_rails": {"data" | "message": …}}>--<signature>`; `message`, the older form, is base64 once more. */
function userOf(sgid: string): number | null {
  const outer = decode(sgid.split('--', 1)[0] ?? '');
  const older = /"message":"([\w+/=-]+)"/.exec(outer)?.[1];
  const gid = older === undefined ? outer : decode(older);
  const id = /gid:\/\/campfire\/User\/(\d{1,15})\b/.exec(gid)?.[1];
  return id === undefined ? null : Number(id);
}

function decode(base64: string): string {
  return Buffer.from(base64.replaceAll('%3D', '='), 'base64').toString('utf8');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&quot;': '"',
  '&lt;': '<',
  '&gt;': '>',
  '&#39;': "'",
  '&amp;': '&',
};

function decodeAttribute(value: string): string {
  return value.replace(/&(?:quot|lt|gt|amp|#39);/g, (entity) => ENTITIES[entity] ?? entity);
}
