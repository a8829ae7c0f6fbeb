const MOST_CHARACTERS = 500;

/** Text of the process, fit for a log: short, and without addresses and keys that it may quote. */
export function toDetail(text: string): string {
  return text
    .replace(/\b[a-z][a-z0-9+.-]*:\/\/\S+/gi, '<url>')
    .replace(/\bsk-[\w-]+/g, '<key>')
    .trim()
    .slice(0, MOST_CHARACTERS);
}
