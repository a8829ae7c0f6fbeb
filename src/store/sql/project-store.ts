import type { Clock } from '../../base/clock.ts';
import type { ProjectStore } from '../../projects/projects.ts';
import type { Database } from '../database.ts';
import { makeProjectUpkeep } from './project-upkeep.ts';
import { makeProjectRecords } from './projects.ts';
import { type Holding, makeUpdateQueue } from './updates.ts';

export function makeProjectStore(database: Database, clock: Clock, holding: Holding): ProjectStore {
  return {
    records: makeProjectRecords(database, clock),
    queue: makeUpdateQueue(database, clock, holding),
    upkeep: makeProjectUpkeep(database, clock),
  };
}
