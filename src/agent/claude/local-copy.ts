import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { EntryId, SessionId } from '../../base/terms.ts';
import type { TranscriptEntry, TranscriptStore } from '../agent.ts';

/**
 * Writes a session's transcript up to `at` to where the process looks for it, `<home>/projects/<project>/`; nothing when there
 * is none. The SDK would write it to the machine's temporary folder, where a killed server leaves it for ever; the
 * home goes with its process, and whatever is left of it is reaped.
 */
export async function writeLocalCopy(
  transcripts: TranscriptStore,
  home: string,
  project: string,
  sessionId: SessionId,
  at: EntryId | null,
): Promise<void> {
  const main = await transcripts.load(sessionId, null);
  if (main === null || main.length === 0) return;
  const folder = join(home, 'projects', project);
  // The total that an earlier process saved: without it this one counts from zero, so that its first turn is its own.
  const entries = upTo(main, at).filter(({ type }) => type !== 'cost-state');
  await writeLines(join(folder, `${sessionId}.jsonl`), entries);
  for (const subpath of await transcripts.subpaths(sessionId)) {
    const entries = await transcripts.load(sessionId, subpath);
    if (entries !== null) await writeSubagent(join(folder, sessionId), subpath, entries);
  }
}

/**
 * What was written after `at` never happened. The process would find its way back past a turn, but refuses to go back
 * behind a compaction. All of it where `at` is not there: that is for the process to say.
 */
function upTo(entries: readonly TranscriptEntry[], at: EntryId | null): readonly TranscriptEntry[] {
  const last = entries.findLastIndex(({ uuid }) => uuid !== undefined && uuid === at);
  return last === -1 ? entries : entries.slice(0, last + 1);
}

async function writeSubagent(
  folder: string,
  subpath: string,
  entries: readonly TranscriptEntry[],
): Promise<void> {
  const path = resolve(folder, subpath);
  if (!path.startsWith(folder + sep)) throw new Error('a transcript has a subpath that leaves its session');
  const isMetadata = (entry: TranscriptEntry) => entry.type === 'agent_metadata';
  await writeLines(
    `${path}.jsonl`,
    entries.filter((entry) => !isMetadata(entry)),
  );
  const metadata = entries.findLast(isMetadata);
  if (metadata === undefined) return;
  const { type: _, ...fields } = metadata;
  await writeFile(`${path}.meta.json`, JSON.stringify(fields), { mode: 0o600 });
}

/** Line by line, so that a long transcript never holds up the server as one string. */
async function writeLines(path: string, entries: readonly TranscriptEntry[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, lines(entries), { mode: 0o600 });
}

function* lines(entries: readonly TranscriptEntry[]): Generator<string> {
  for (const entry of entries) yield `${JSON.stringify(entry)}\n`;
}
