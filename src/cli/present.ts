/** How commands show things to people, and read numbers from them. */
import { UsageError } from './command.ts';

/** Columns as wide as their widest cell, the last one as it is. Control characters do not reach the terminal. */
export function toTable(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(toShown));
  const widths = shown.reduce<number[]>(
    (widest, row) => row.map((cell, at) => Math.max(widest[at] ?? 0, cell.length)),
    [],
  );
  const toLine = (row: readonly string[]): string =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  ');
  return shown.map((row) => toLine(row).trimEnd()).join('\n');
}

/** What other people wrote must not move the cursor. */
export function toShown(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '·');
}

/** `45 s`, `12 min`, `3.5 h`, `2.1 d`. */
export function toAge(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3_600).toFixed(1)} h`;
  return `${(seconds / 86_400).toFixed(1)} d`;
}

export function readLimit(text: string | undefined, most: number): number {
  if (text === undefined) return 50;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > most) {
    throw new UsageError(`--limit is a number from 1 to ${most}`);
  }
  return limit;
}
