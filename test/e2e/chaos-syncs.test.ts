import { expect, test } from 'vitest';
import { runSyncs } from '../../chaos/setup/run-syncs.ts';
import { hasNoStrace } from '../setup/strace.ts';

test.skipIf(hasNoStrace)(
  'each message is synced to disk, and those that come at once share their syncs',
  async () => {
    const findings = await runSyncs(40);
    expect(findings.filter(({ holds }) => !holds)).toEqual([]);
  },
);
