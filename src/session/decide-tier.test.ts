import { describe, expect, it } from 'vitest';
import { decideTier, type TierFacts } from './decide-tier.ts';

const HOUR = 3_600_000;
const base: TierFacts = {
  now: 100 * HOUR,
  ttlMs: 24 * HOUR,
  record: { state: 'active', lastUsedAt: 99 * HOUR },
  former: null,
  live: null,
  transcript: 'reaches',
  failures: 0,
  resume: true,
};
const healthy = { healthy: true, sameFingerprint: true, ahead: false };

const cases: readonly [string, Partial<TierFacts>, string, string][] = [
  ['no record', { record: null }, 'cold', 'first message of this conversation'],
  ['no record any more', { record: null, former: 'lost' }, 'cold', 'its session could not be resumed'],
  [
    'no record since it was forgotten',
    { record: null, former: 'forgotten' },
    'cold',
    'first message of this conversation',
  ],
  ['live, healthy, same bot', { live: healthy, transcript: 'unread' }, 'hot', 'its process is still here'],
  [
    'live but older than its time to live',
    { live: healthy, record: { state: 'active', lastUsedAt: 75 * HOUR } },
    'cold',
    'idle for longer than its time to live',
  ],
  [
    'exactly at its time to live',
    { record: { state: 'active', lastUsedAt: 76 * HOUR } },
    'warm',
    'its process is gone, its transcript is here',
  ],
  [
    'never expires',
    { ttlMs: null, record: { state: 'active', lastUsedAt: 0 } },
    'warm',
    'its process is gone, its transcript is here',
  ],
  [
    'process died',
    { live: { healthy: false, sameFingerprint: true, ahead: false } },
    'warm',
    'its process died',
  ],
  [
    'bot file changed',
    { live: { healthy: true, sameFingerprint: false, ahead: false } },
    'warm',
    'its bot was changed',
  ],
  [
    'provisional',
    { record: { state: 'provisional', lastUsedAt: 99 * HOUR } },
    'cold',
    'no turn of its session has settled yet',
  ],
  ['transcript gone', { transcript: 'missing' }, 'cold', 'its transcript is gone'],
  ['resume switched off', { resume: false }, 'cold', 'resuming is switched off'],
  [
    'resumed ahead of need',
    { live: { ...healthy, ahead: true } },
    'warm',
    'its process was resumed ahead of need',
  ],
  ['failed once', { failures: 1 }, 'warm', 'its process is gone, its transcript is here'],
  ['failed twice', { failures: 2 }, 'cold', 'its session failed twice'],
  ['resume switched off but hot', { resume: false, live: healthy }, 'hot', 'its process is still here'],
];

describe('decideTier', () => {
  it.each(cases)('%s', (_name, facts, tier, reason) => {
    expect(decideTier({ ...base, ...facts })).toMatchObject({ tier, reason });
  });

  it('ends an idle record as expired, one that cannot be resumed as lost, and none otherwise', () => {
    expect(decideTier({ ...base, record: { state: 'active', lastUsedAt: 0 } }).ends).toBe('expired');
    expect(decideTier({ ...base, transcript: 'missing' }).ends).toBe('lost');
    expect(decideTier(base).ends).toBeNull();
  });
});
