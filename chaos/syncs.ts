/** Counts how often SQLite syncs to disk for each accepted message, as the kernel sees it. Needs strace. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { atMost, type Finding, report, told } from './setup/report.ts';

const MESSAGES = 200;
const SCRIPT = new URL('setup/accept-messages.ts', import.meta.url).pathname;

const folder = await mkdtemp(join(tmpdir(), 'firekeeper-syncs-'));
try {
  const none = await countSyncs(0);
  const inTurn = (await countSyncs(MESSAGES)) - none;
  const together = (await countSyncs(MESSAGES, 'together')) - none;
  const findings: Finding[] = [
    told('messages', MESSAGES),
    {
      what: 'syncs for messages one after the other',
      found: inTurn,
      must: `at least ${MESSAGES}`,
      holds: inTurn >= MESSAGES,
    },
    atMost('syncs for as many at once: they share', together, MESSAGES / 4),
    { what: 'and yet there is one', found: together, must: 'at least 1', holds: together >= 1 },
  ];
  await report('syncs', { messages: MESSAGES }, findings);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function countSyncs(messages: number, how = 'in-turn'): Promise<number> {
  const name = join(folder, `${messages}-${how}`);
  const watch = ['-f', '-qq', '-e', 'trace=fsync,fdatasync', '-o', `${name}.syncs`];
  const accept = [process.execPath, SCRIPT, `${name}.sqlite`, String(messages), how];
  await promisify(execFile)('strace', [...watch, ...accept]);
  const calls = (await readFile(`${name}.syncs`, 'utf8')).match(/\bf(data)?sync\(\d/g);
  return calls?.length ?? 0;
}
