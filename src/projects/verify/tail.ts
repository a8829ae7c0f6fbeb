import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';

/** The end of what a command writes, in bounded memory. */
export type Tail = {
  add(chunk: Uint8Array): void;
  /** Plain text: no colours, no moves of the cursor, of lines that were written over only the last state. */
  text(): string;
};

/** Colours are dropped first, so that more is kept than is shown. */
const KEPT_FOR_EACH_BYTE = 4;

export function makeTail(mostBytes: number): Tail {
  let kept: Buffer = Buffer.alloc(0);
  return {
    add(chunk) {
      kept = Buffer.concat([kept, chunk]);
      // Now and then only: most of a long output is copied once and not with every piece.
      const most = mostBytes * KEPT_FOR_EACH_BYTE;
      if (kept.length > 2 * most) kept = Buffer.from(kept.subarray(-most));
    },
    text: () => endOf(toPlain(kept.toString('utf8')), mostBytes),
  };
}

export function toPlain(text: string): string {
  return (
    stripVTControlCharacters(text)
      .replace(/\r+\n/g, '\n')
      .replace(/^[^\n]*\r(?=[^\n])/gm, '')
      // What is left of them says nothing to a reader.
      .replace(/[^\P{Cc}\n\t]/gu, '')
  );
}

/** The last so many bytes, from the beginning of a line where there is one. */
function endOf(text: string, mostBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= mostBytes) return text;
  let first = bytes.length - mostBytes;
  // Not in the middle of a character.
  while (((bytes[first] ?? 0) & 0xc0) === 0x80) first += 1;
  const end = new StringDecoder('utf8').write(bytes.subarray(first));
  const line = end.indexOf('\n');
  return line === -1 || line === end.length - 1 ? end : end.slice(line + 1);
}
