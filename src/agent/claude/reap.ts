import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentId } from '../../base/terms.ts';
import type { AgentRegistry, Agents } from '../agent.ts';
import type { Families } from '../families.ts';

export type ReapDeps = {
  readonly homes: string;
  readonly ownerId: string;
  readonly families: Families;
  readonly registry: AgentRegistry;
  /** Known before the process is started, so that what is seen running and is not ours was left behind. */
  isOurs(id: AgentId): boolean;
};

/** Ends what a killed server left of this owner, with its homes and its lines in the registry. */
export async function reap(deps: ReapDeps): ReturnType<Agents['reap']> {
  const owned = await deps.families.owned(deps.ownerId);
  const left = owned.filter((id) => !deps.isOurs(id));
  let processes = 0;
  for (const id of left) processes += await deps.families.end(id);
  await mkdir(deps.homes, { recursive: true, mode: 0o700 });
  const homes = (await readdir(deps.homes)) as AgentId[]; // Every home is named after its agent.
  const leftHomes = homes.filter((id) => !deps.isOurs(id));
  for (const id of leftHomes) await rm(join(deps.homes, id), { recursive: true, force: true });
  for (const id of new Set([...left, ...leftHomes])) await deps.registry.ended(id);
  return { families: left.length, processes };
}
