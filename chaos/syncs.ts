/** Counts how often SQLite syncs to disk for each accepted message, as the kernel sees it. Needs strace. */

import { report } from './setup/report.ts';
import { runSyncs } from './setup/run-syncs.ts';

const MESSAGES = 200;

await report('syncs', { messages: MESSAGES }, await runSyncs(MESSAGES));
