import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';

/** One line of a chaos run: what was counted, and what it must be; `must` null: told, not judged. */
export type Finding = {
  readonly what: string;
  readonly found: number | string;
  readonly must: string | null;
  readonly holds: boolean;
};

/** Prints the table, writes it as JSON, and makes the process fail when a finding does not hold. */
export async function report(
  name: string,
  about: Record<string, unknown>,
  findings: readonly Finding[],
): Promise<void> {
  const rows = findings.map(({ what, found, must, holds }) => ({
    what,
    found,
    must: must ?? '',
    holds: holds ? 'yes' : 'NO',
  }));
  console.table(rows);
  const machine = {
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 1024 / 1024),
    node: process.version,
  };
  const folder = new URL('../results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const told = { name, at: new Date().toISOString(), machine, ...about, findings };
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(told, null, 2)}\n`);
  if (findings.some(({ holds }) => !holds)) process.exitCode = 1;
}

export function atMost(what: string, found: number, limit: number): Finding {
  return { what, found, must: `at most ${limit}`, holds: found <= limit };
}
/** Judged where there is a limit, else told. */
export function judged(what: string, found: number, limit: number | null): Finding {
  return limit === null ? told(what, found) : atMost(what, found, limit);
}
export function exactly(what: string, found: number, wanted: number): Finding {
  return { what, found, must: `${wanted}`, holds: found === wanted };
}
export function told(what: string, found: number | string): Finding {
  return { what, found, must: null, holds: true };
}
