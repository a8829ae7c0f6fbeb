import { createHash } from 'node:crypto';
import type { ProjectId, UpdateId } from './terms.ts';

/** Whether an update is held out of resuming: by chance, but the same each time it is asked. */
export function isHeldOut(project: ProjectId, update: UpdateId, percent: number): boolean {
  const hash = createHash('sha256').update(`${project}:${update}`).digest();
  return (hash.readUInt32BE(0) / 2 ** 32) * 100 < percent;
}
