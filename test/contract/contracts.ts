/** Every contract of the store's ports; each backend's test file runs all of them. */
import { arrivalsContract } from './arrivals.contract.ts';
import { historyContract } from './history.contract.ts';
import { inboxContract } from './inbox.contract.ts';
import { leasesContract } from './leases.contract.ts';
import { ledgerContract } from './ledger.contract.ts';
import { outboxContract } from './outbox.contract.ts';
import { overflowContract } from './overflow.contract.ts';
import { projectsContract } from './projects.contract.ts';
import { projectsQueueContract } from './projects-queue.contract.ts';
import { projectsUpkeepContract } from './projects-upkeep.contract.ts';
import { projectsWorkContract } from './projects-work.contract.ts';
import { retentionContract } from './retention.contract.ts';
import { sessionsContract } from './sessions.contract.ts';
import { smallStoresContract } from './small-stores.contract.ts';
import type { MakeStoreUnderTest } from './store-under-test.ts';
import { transcriptsContract } from './transcripts.contract.ts';
import { turnsContract } from './turns.contract.ts';
import { viewsContract } from './views.contract.ts';

export const CONTRACTS: Readonly<Record<string, (make: MakeStoreUnderTest) => void>> = {
  inbox: inboxContract,
  arrivals: arrivalsContract,
  overflow: overflowContract,
  outbox: outboxContract,
  leases: leasesContract,
  sessions: sessionsContract,
  turns: turnsContract,
  ledger: ledgerContract,
  transcripts: transcriptsContract,
  history: historyContract,
  'small stores': smallStoresContract,
  views: viewsContract,
  retention: retentionContract,
  projects: projectsContract,
  'the queue of updates': projectsQueueContract,
  'the work of an update': projectsWorkContract,
  'the upkeep of projects': projectsUpkeepContract,
};
