import type { Instant } from '../../base/terms.ts';
import type { AuditEntry, ProjectId, Update } from '../../projects/projects.ts';
import type { Tx } from '../database.ts';
import type { NewEvent } from './update-events.ts';

/** One transaction whose fence is checked, and the update that it writes for. */
export type UpdateScope = {
  readonly trx: Tx;
  readonly project: ProjectId;
  readonly update: Pick<Update, 'id' | 'userId' | 'attempt'>;
  now(): Instant;
  /** Who stands behind audit entries. */
  readonly by: Pick<AuditEntry, 'projectId' | 'actor' | 'userId' | 'updateId'>;
  event(type: NewEvent['type'], progress: number | null, payload: NewEvent['payload']): Promise<void>;
};
