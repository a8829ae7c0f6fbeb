import { mkdir, readdir } from 'node:fs/promises';
import type { AgentId } from '../../base/terms.ts';
import type { AgentRegistry, Agents } from '../agent.ts';
import type { Families } from '../families.ts';
import { removeAgentFolders } from './folders.ts';

export type ReapDeps = {
  readonly homes: string;
  readonly ownerId: string;
  readonly families: Families;
  readonly registry: AgentRegistry;
  /** Known before the process is started, so that what is seen running and is not ours was left behind. */
  isOurs(id: AgentId): boolean;
};

/** Nothing that they still do can be kept, and whoever waits for an answer waits for them to be gone. */
const IN_PEACE_MS = 50;

/** Ends what a killed server left of this owner, with its homes and its lines in the registry. */
export async function reap(deps: ReapDeps): ReturnType<Agents['reap']> {
  const owned = await deps.families.owned(deps.ownerId);
  const left = owned.filter((id) => !deps.isOurs(id));
  const processes = await deps.families.end(left, IN_PEACE_MS);
  const homes = await agentsIn(deps.homes);
  // Whoever was told to end before has left its home.
  const all = [...new Set([...left, ...homes.filter((id) => !deps.isOurs(id))])];
  await Promise.all(all.map((id) => removeAgentFolders(deps.homes, id)));
  await Promise.all(all.map((id) => deps.registry.ended(id)));
  return { families: all.length, processes };
}

/**
 * Tells everybody who has a home here to end, before anything else is loaded: a dozen processes that shut down beside a
 * start make it take twice as long. Only for whoever holds the data folder. `reap` says later how it ended.
 */
export async function beginReaping(homes: string, families: Families): Promise<void> {
  await families.end(await agentsIn(homes), IN_PEACE_MS);
}

async function agentsIn(homes: string): Promise<readonly AgentId[]> {
  await mkdir(homes, { recursive: true, mode: 0o700 });
  return (await readdir(homes)) as AgentId[]; // Every home is named after its agent.
}
