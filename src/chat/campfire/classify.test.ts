import { describe, expect, it } from 'vitest';
import statuses from '../../../test/fixtures/campfire/statuses.json' with { type: 'json' };
import { classifyPost } from './classify.ts';
import type { Answer } from './exchange.ts';

const NOW = Date.UTC(2026, 0, 1);
const PAGE = { contentType: 'text/html; charset=utf-8', body: '<!doctype html><p>We are sorry' };

function outcomeOf(answer: Partial<Answer>, firstErrorPageAt: number | null = null) {
  return classifyPost({
    answer: {
      kind: 'answer',
      status: 201,
      contentType: 'text/html',
      location: null,
      retryAfter: null,
      body: '',
      whole: true,
      ...answer,
    },
    firstErrorPageAt,
    now: NOW,
  });
}

describe('what a recorded answer means for a post', () => {
  const meanings: Readonly<Record<string, unknown>> = {
    'post text': { kind: 'sent', platformId: '278' },
    'post empty': { kind: 'refused', reason: 'rejected', detail: 'status_422' },
    'wrong key': { kind: 'refused', reason: 'key_refused', detail: 'status_302' },
    'bot is not a member': { kind: 'refused', reason: 'room_gone', detail: 'status_404' },
    'no such room': { kind: 'refused', reason: 'room_gone', detail: 'status_404' },
    'form encoded with a bad escape': { kind: 'refused', reason: 'rejected', detail: 'status_400' },
    'json is posted literally': { kind: 'sent', platformId: '279' },
  };
  const posts = statuses.filter(({ method, path }) => method === 'POST' && path.endsWith('/messages'));

  it('is known for every recorded post', () => {
    expect(posts.map(({ name }) => name)).toEqual(Object.keys(meanings));
  });

  it.each(posts.map((recorded) => [recorded.name, recorded] as const))('%s', (name, recorded) => {
    const { status, location, body } = recorded;
    expect(outcomeOf({ status, location, body, contentType: recorded.content_type ?? '' })).toEqual(
      meanings[name],
    );
  });
});

it.each([
  ['a 201 without an address is sent all the same', { status: 201 }, { kind: 'sent', platformId: null }],
  ['another 2xx is no success', { status: 200, ...PAGE }, { kind: 'unknown', reason: 'status_200' }],
  ['a move to https', { status: 301, location: 'https://x/' }, { kind: 'retry', reason: 'status_301' }],
  ['a banned address', { status: 403 }, { kind: 'refused', reason: 'rejected', detail: 'status_403' }],
  ['a type refused', { status: 406 }, { kind: 'refused', reason: 'rejected', detail: 'status_406' }],
  ['too many', { status: 429 }, { kind: 'retry', reason: 'status_429' }],
  [
    'too many, for 7 s',
    { status: 429, retryAfter: '7' },
    { kind: 'retry', reason: 'status_429', afterMs: 7_000 },
  ],
  [
    'too many, until a time',
    { status: 429, retryAfter: new Date(NOW + 60_000).toUTCString() },
    { kind: 'retry', reason: 'status_429', afterMs: 60_000 },
  ],
  [
    'too many, for a year',
    { status: 429, retryAfter: '31536000' },
    { kind: 'retry', reason: 'status_429', afterMs: 3_600_000 },
  ],
  ['too many, until whenever', { status: 429, retryAfter: 'soon' }, { kind: 'retry', reason: 'status_429' }],
  [
    'a newer Campfire’s 500',
    { status: 500, contentType: 'application/json', body: '{"status":500}' },
    { kind: 'unknown', reason: 'status_500' },
  ],
  ['a proxy without Campfire', { status: 502, ...PAGE }, { kind: 'unknown', reason: 'status_502' }],
  ['maintenance', { status: 503, ...PAGE }, { kind: 'unknown', reason: 'status_503' }],
])('%s', (_name, answer, outcome) => {
  expect(outcomeOf(answer)).toEqual(outcome);
});

it.each([
  ['the first', null, { kind: 'unknown', reason: 'error_page' }],
  ['one within 30 s of the first', NOW - 29_999, { kind: 'unknown', reason: 'error_page' }],
  ['one 30 s after the first', NOW - 30_000, { kind: 'refused', reason: 'room_gone', detail: 'error_page' }],
])('an error page of an older Campfire: %s', (_name, firstErrorPageAt, outcome) => {
  expect(outcomeOf({ status: 500, ...PAGE }, firstErrorPageAt)).toEqual(outcome);
});

it.each([
  ['no', { kind: 'retry', reason: 'ECONNREFUSED' }],
  ['maybe', { kind: 'unknown', reason: 'ECONNREFUSED' }],
] as const)('no answer, delivered: %s', (delivered, outcome) => {
  const answer = { kind: 'no-answer', code: 'ECONNREFUSED', delivered } as const;
  expect(classifyPost({ answer, firstErrorPageAt: null, now: NOW })).toEqual(outcome);
});
