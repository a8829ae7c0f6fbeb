/**
 * Text in Postgres holds every character but NUL, which people and models do send. It is kept as two characters that
 * start with SUBSTITUTE (U+001A), as is that one itself, so that every text comes back as it was given.
 */
const SUBSTITUTE = '\u001A';

export function encodeText(text: string): string {
  if (!text.includes('\0') && !text.includes(SUBSTITUTE)) return text;
  return text.replaceAll(SUBSTITUTE, `${SUBSTITUTE}1`).replaceAll('\0', `${SUBSTITUTE}0`);
}

export function decodeText(stored: string): string {
  if (!stored.includes(SUBSTITUTE)) return stored;
  return stored.replaceAll(`${SUBSTITUTE}0`, '\0').replaceAll(`${SUBSTITUTE}1`, SUBSTITUTE);
}
