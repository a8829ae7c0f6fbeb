import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { atMost, type Finding, told } from './report.ts';

const SCRIPT = fileURLToPath(new URL('accept-messages.ts', import.meta.url));

/** Accepts messages one after the other, and as many at once, and counts the syncs that the kernel was asked for. */
export async function runSyncs(messages: number): Promise<readonly Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'firekeeper-syncs-'));
  try {
    const none = await countSyncs(folder, 0, 'in-turn');
    const inTurn = (await countSyncs(folder, messages, 'in-turn')) - none;
    const together = (await countSyncs(folder, messages, 'together')) - none;
    return [
      told('messages', messages),
      atLeast('syncs for messages one after the other', inTurn, messages),
      atMost('syncs for as many at once: they share', together, messages / 4),
      atLeast('and yet there is one', together, 1),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function atLeast(what: string, found: number, least: number): Finding {
  return { what, found, must: `at least ${least}`, holds: found >= least };
}

async function countSyncs(folder: string, messages: number, how: 'in-turn' | 'together'): Promise<number> {
  const name = join(folder, `${messages}-${how}`);
  const watch = ['-f', '-qq', '-e', 'trace=fsync,fdatasync', '-o', `${name}.syncs`];
  const accept = [process.execPath, SCRIPT, `${name}.sqlite`, String(messages), how];
  await promisify(execFile)('strace', [...watch, ...accept]);
  const calls = (await readFile(`${name}.syncs`, 'utf8')).match(/\bf(data)?sync\(\d/g);
  return calls?.length ?? 0;
}
