import { describe, expect, it } from 'vitest';
import { roomId, userId } from '../base/terms.ts';
import type { HeardMessage } from '../chat/chat.ts';
import { chooseMissed, decideNextRound, decideSince } from './decide-catch-up.ts';

const MINUTE = 60_000;
const whole = { beganAt: 0, endedAt: 1_000, isWhole: true };

describe('the next round begins', () => {
  it.each([
    ['at once after the start', { last: null, refusedAt: null }, 5_000],
    ['at once after the start, refused messages or not', { last: null, refusedAt: 4_000 }, 5_000],
    ['ten minutes after the last one', { last: whole, refusedAt: null }, 10 * MINUTE + 1_000],
    [
      'a minute after one that could not read everything',
      { last: { ...whole, isWhole: false }, refusedAt: null },
      MINUTE + 1_000,
    ],
    ['five seconds after a refusal', { last: whole, refusedAt: 100_000 }, 105_000],
    ['half a minute after the last one, however many are refused', { last: whole, refusedAt: 2_000 }, 31_000],
    ['soon when a message was refused while it ran', { last: whole, refusedAt: 500 }, 31_000],
    [
      'as usual when a message was refused before it began',
      { last: { ...whole, beganAt: 600 }, refusedAt: 500 },
      10 * MINUTE + 1_000,
    ],
    ['never later for a refusal', { last: whole, refusedAt: 10 * MINUTE }, 10 * MINUTE + 1_000],
  ])('%s', (_name, facts, at) => {
    expect(decideNextRound({ now: 5_000, ...facts })).toBe(at);
  });
});

it.each([
  ['as far as it may', { firstSeenAt: 0, catchUpMs: 6 * 60 * MINUTE }, 94 * 60 * MINUTE],
  [
    'never before the bot was known',
    { firstSeenAt: 99 * 60 * MINUTE, catchUpMs: 6 * 60 * MINUTE },
    99 * 60 * MINUTE,
  ],
])('it looks back %s', (_name, facts, since) => {
  expect(decideSince({ now: 100 * 60 * MINUTE, ...facts })).toBe(since);
});

it('what was accepted, or sent too early, was not missed; the rest goes in the order of its sending', () => {
  const heard = [
    ['1', 100],
    ['2', 50],
    ['3', 300],
    ['4', 200],
  ].map(([messageId, sentAt]) => said(String(messageId), Number(sentAt)));
  const missed = chooseMissed(heard, new Set(['1']), 51);
  expect(missed.map(({ messageId }) => messageId)).toEqual(['4', '3']);
});

function said(messageId: string, sentAt: number): HeardMessage {
  const from = { roomId: roomId(1), roomName: null, userId: userId(2), userName: 'Kevin' };
  return { messageId, ...from, plain: 'hello', mentions: 0, sentAt };
}
