import { mkdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentId } from '../../base/terms.ts';

/**
 * A process has a home, and in it a folder for temporary files. The sandbox of commands keeps sockets in the latter,
 * whose names may have no more than 107 characters: so that of an agent with a shell lies elsewhere, under a name that
 * tells whose it is. It is made after the home and deleted before it, so that whoever finds a home left finds both.
 */
export type AgentFolders = { readonly home: string; readonly temporary: string };

/** Paths without links: the process reports entries by path, and the SDK knows them by the path that it was given. */
export async function makeAgentFolders(homes: string, id: AgentId, hasShell: boolean): Promise<AgentFolders> {
  const home = await makeFolder(join(homes, id));
  return { home, temporary: await makeFolder(hasShell ? shortFolder(id) : join(home, 'tmp')) };
}

export async function removeAgentFolders(homes: string, id: AgentId): Promise<void> {
  for (const folder of [shortFolder(id), join(homes, id)])
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

export async function makeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return await realpath(path);
}

/** What is left of a socket's name for the folder that ours is made in. */
const MOST_CHARACTERS = 33;

function shortFolder(id: AgentId): string {
  return join(tmpdir().length > MOST_CHARACTERS ? '/tmp' : tmpdir(), `fk-${id}`);
}
