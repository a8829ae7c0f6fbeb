import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { toError } from '../base/errors.ts';
import { CommandFailed } from './command.ts';

/** Session id → its transcript's path; a folder of them may hold hundreds of megabytes, so none is read. */
export type TranscriptFiles = ReadonlyMap<string, string>;

const MOST_FILES = 200_000;

/** `<id>.jsonl` in the folder itself, in its folders, and in those of its `projects/`; of two, the one written last. */
export async function findTranscripts(dir: string): Promise<TranscriptFiles> {
  const found = new Map<string, { readonly path: string; readonly writtenAt: number }>();
  for (const folder of await foldersOf(dir)) {
    for (const name of await listOf(folder)) {
      const id = /^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\.jsonl$/i.exec(name)?.[1]?.toLowerCase();
      if (id === undefined) continue;
      const path = join(folder, name);
      const { mtimeMs: writtenAt } = await stat(path);
      if (writtenAt >= (found.get(id)?.writtenAt ?? 0)) found.set(id, { path, writtenAt });
      if (found.size > MOST_FILES)
        throw new CommandFailed('too_many', `${dir} holds over ${MOST_FILES} transcripts`);
    }
  }
  return new Map([...found].map(([id, { path }]) => [id, path]));
}

async function foldersOf(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    throw new CommandFailed('unreadable', `${dir} cannot be read: ${toError(error).message}`);
  });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name));
  const projects = join(dir, 'projects');
  const ofProjects = folders.includes(projects) ? await listOf(projects) : [];
  return [dir, ...folders, ...ofProjects.map((name) => join(projects, name))];
}

/** Nothing where there is no folder. */
async function listOf(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch(() => []);
}
