/** One benchmark from start to end: a folder of its own, a table, a JSON file, and nothing left behind. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forgetMachine } from '../../test/setup/environment.ts';
import { show, toTable } from './format.ts';
import { describeMachine } from './machine.ts';
import { type Summary, summarize } from './statistics.ts';

/** One figure: many measurements of one thing, in one unit. */
export type Row = { readonly what: string; readonly unit: string } & Summary;

/** What `docs/performance.md` asks for, and what came out. Met or missed is told, never asserted. */
export type Requirement = {
  readonly what: string;
  readonly must: string;
  readonly measured: string;
  readonly met: boolean;
};

export type Findings = {
  readonly rows: readonly Row[];
  readonly requirements: readonly Requirement[];
  /** How it was measured, where a figure cannot be read without it. */
  readonly notes: readonly string[];
};

export type Bench = {
  /** Empty at first, deleted at the end; on the file system on which data folders are made here. */
  readonly folder: string;
  /** Runs at the end, whatever happens; the last one first. */
  defer(close: () => unknown): void;
  /** Tells whoever waits how far it is. */
  progress(text: string): void;
};

const RESULTS = new URL('../results/', import.meta.url);

export async function runBench(
  name: string,
  about: string,
  measure: (bench: Bench) => Promise<Findings>,
): Promise<void> {
  forgetMachine(process.env);
  const machine = describeMachine();
  const date = new Date().toISOString();
  const folder = await mkdtemp(join(tmpdir(), 'firekeeper-bench-'));
  process.env.TMPDIR = folder;
  const closers: (() => unknown)[] = [];
  const isWatched = process.stderr.isTTY === true;
  try {
    const findings = await measure({
      folder,
      defer: (close) => closers.push(close),
      progress: (text) => void process.stderr.write(isWatched ? `\r\u001b[K${name}: ${text}` : ''),
    });
    if (isWatched) process.stderr.write('\r\u001b[K');
    print(name, about, findings);
    const result = { bench: name, about, date, machine, ...findings };
    await writeFile(new URL(`${name}.json`, RESULTS), `${JSON.stringify(result, null, 2)}\n`);
  } finally {
    for (const close of closers.reverse()) await close();
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

export function toRow(what: string, unit: string, measured: readonly number[]): Row {
  return { what, unit, ...summarize(measured) };
}

function print(name: string, about: string, { rows, requirements, notes }: Findings): void {
  const figures = rows.map((row) => [
    row.what,
    row.unit,
    show(row.p50),
    show(row.p95),
    show(row.p99),
    show(row.most),
    String(row.n),
  ]);
  const parts = [
    `\n${name}: ${about}\n`,
    toTable(['', 'unit', 'p50', 'p95', 'p99', 'most', 'n'], figures),
    '',
    toTable(
      ['requirement', 'must be', 'is', ''],
      requirements.map(({ what, must, measured, met }) => [what, must, measured, met ? 'met' : 'MISSED']),
    ),
    ...notes.map((note) => `\n${note}`),
  ];
  console.log(parts.join('\n'));
}
