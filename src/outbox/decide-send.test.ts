import { describe, expect, it } from 'vitest';
import type { SendOutcome } from '../chat/chat.ts';
import {
  decideAfterReading,
  decideAfterSend,
  decideClaim,
  findOwn,
  MOST_AGE_MS,
  type Reading,
  type RowFacts,
} from './decide-send.ts';

const NOW = Date.UTC(2026, 0, 1);
const fresh: RowFacts = { attempts: 1, createdAt: NOW - 500, sendingAt: NOW - 100, mayBeDouble: false };
const old: RowFacts = { ...fresh, createdAt: NOW - MOST_AGE_MS };
/** The upper end of the jitter. */
const facts = (row: RowFacts) => ({ row, now: NOW, random: () => 1 });

it.each([
  ['an owed row is sent', 'sending', NOW, { kind: 'send' }],
  [
    'a row that was claimed and slept through is looked for instead',
    'sending',
    NOW - 5_000,
    { kind: 'wait', result: { kind: 'unknown', notBefore: NOW + 5_000, reason: 'interrupted' } },
  ],
  ['an unknown row is looked for ten seconds after its send', 'unknown', NOW - 10_000, { kind: 'reconcile' }],
  [
    'a row that a dead process left is not looked for sooner',
    'unknown',
    NOW - 4_000,
    { kind: 'wait', result: { kind: 'unknown', notBefore: NOW + 6_000, reason: 'interrupted' } },
  ],
  ['a row without the time of its send is looked for', 'unknown', null, { kind: 'reconcile' }],
] as const)('%s', (_name, state, sendingAt, decision) => {
  expect(decideClaim({ state, sendingAt }, NOW)).toEqual(decision);
});

describe('after a send', () => {
  it.each<readonly [string, SendOutcome, RowFacts, unknown]>([
    ['sent', { kind: 'sent', platformId: '7' }, fresh, { kind: 'sent', platformId: '7' }],
    ['sent late', { kind: 'sent', platformId: null }, old, { kind: 'sent', platformId: null }],
    [
      'refused',
      { kind: 'refused', reason: 'key_refused', detail: 'x' },
      fresh,
      { kind: 'buried', reason: 'key_refused' },
    ],
    [
      'unknown: looked for in ten seconds',
      { kind: 'unknown', reason: 'timeout' },
      old,
      { kind: 'unknown', notBefore: NOW + 10_000, reason: 'timeout' },
    ],
    [
      'not taken: again in two seconds',
      { kind: 'retry', reason: 'ECONNREFUSED' },
      fresh,
      { kind: 'owed', notBefore: NOW + 2_000, reason: 'ECONNREFUSED' },
    ],
    [
      'not taken again and again: five minutes',
      { kind: 'retry', reason: 'ECONNREFUSED' },
      { ...fresh, attempts: 40 },
      { kind: 'owed', notBefore: NOW + 300_000, reason: 'ECONNREFUSED' },
    ],
    [
      'not taken, and the platform says when',
      { kind: 'retry', reason: 'status_429', afterMs: 60_000 },
      fresh,
      { kind: 'owed', notBefore: NOW + 60_000, reason: 'status_429' },
    ],
    ['not taken for a day', { kind: 'retry', reason: 'x' }, old, { kind: 'buried', reason: 'too_old' }],
  ])('%s', (_name, outcome, row, result) => {
    expect(decideAfterSend(outcome, facts(row))).toEqual(result);
  });
});

describe('after looking for a reply whose send is unknown', () => {
  it.each<readonly [string, Reading, RowFacts, unknown]>([
    ['it stands there', { kind: 'found', platformId: '9' }, old, { kind: 'sent', platformId: '9' }],
    [
      'it does not: sent again at once',
      { kind: 'absent' },
      fresh,
      { kind: 'owed', notBefore: NOW, reason: 'not there' },
    ],
    [
      'it does not, the third time: sent again later',
      { kind: 'absent' },
      { ...fresh, attempts: 3 },
      { kind: 'owed', notBefore: NOW + 8_000, reason: 'not there' },
    ],
    ['it does not, for a day', { kind: 'absent' }, old, { kind: 'buried', reason: 'too_old' }],
    [
      'nobody can tell: sent once more, half a minute after the first',
      { kind: 'unreadable' },
      fresh,
      { kind: 'owed', notBefore: NOW + 29_900, reason: 'unreadable', mayBeDouble: true },
    ],
    [
      'nobody can tell, a second time: never a third',
      { kind: 'unreadable' },
      { ...fresh, mayBeDouble: true },
      { kind: 'buried', reason: 'unconfirmed' },
    ],
    [
      'the platform is down: looked for again',
      { kind: 'unreachable' },
      { ...fresh, mayBeDouble: true },
      { kind: 'unknown', notBefore: NOW + 10_000, reason: 'unreachable' },
    ],
    [
      'the platform is down for long: looked for less often',
      { kind: 'unreachable' },
      { ...fresh, sendingAt: NOW - 100_000 },
      { kind: 'unknown', notBefore: NOW + 50_000, reason: 'unreachable' },
    ],
    ['the platform is down for a day', { kind: 'unreachable' }, old, { kind: 'buried', reason: 'too_old' }],
  ])('%s', (_name, reading, row, result) => {
    expect(decideAfterReading(reading, facts(row))).toEqual(result);
  });
});

it.each([
  ['is found by its words', ['Something else', 'Hello,\n\nworld!'], [], { kind: 'found', platformId: '2' }],
  ['is not the message of another row', ['Hello world', 'x'], ['1'], { kind: 'absent' }],
  [
    'is the first that no row holds',
    ['hello world', 'hello world'],
    ['1'],
    { kind: 'found', platformId: '2' },
  ],
  ['is not there', [], [], { kind: 'absent' }],
])('a reply %s', (_name, texts, sent, reading) => {
  const own = texts.map((plainText, at) => ({ platformId: String(at + 1), plainText }));
  expect(findOwn(own, 'Hello, world!', new Set(sent))).toEqual(reading);
});
