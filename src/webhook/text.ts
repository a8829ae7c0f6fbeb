/** How a mention stands in `message.body.html`; the payload has one for each, whoever is mentioned. */
const MENTION = 'application/vnd.campfire.mention';

/**
 * The message's text as the person meant it. Campfire cuts the bot's own name out of `plain`, which leaves two spaces
 * where it stood between words: as many of those as there are mentions become one. Every other run of spaces, all line
 * breaks and all indentation stay, they may be code. NUL goes, and half a surrogate pair becomes U+FFFD, because no
 * database gives either back as it was.
 */
export function toText(plain: string, html: string | null): string {
  return closeGaps(plain, html === null ? 0 : html.split(MENTION).length - 1);
}

/** The same where the mentions were counted already. */
export function closeGaps(plain: string, mentions: number): string {
  const text = toStorable(plain);
  if (mentions === 0) return text;
  let gaps = mentions;
  return text.replace(/(?<=\S) {2}(?=\S)/g, (run) => {
    gaps -= 1;
    return gaps < 0 ? run : ' ';
  });
}

/** A person's or a room's name on one line, at most 200 characters. */
export function toName(name: string): string {
  return toStorable(name)
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, 200)
    .toWellFormed();
}

function toStorable(text: string): string {
  return (text.includes('\0') ? text.replaceAll('\0', '') : text).toWellFormed();
}
