import { expect, it } from 'vitest';
import { userId } from '../../base/terms.ts';
import { decideDuplicate } from './decide-duplicate.ts';

const HOUR = 3_600_000;
const webhook = { user_id: userId(7), digest: 'a', accepted_at: 10 * HOUR, sent_at: null };
const late = { ...webhook, sent_at: 9 * HOUR };

it.each([
  ['the same webhook again', webhook, webhook, true],
  ['another text under the same id', { ...webhook, digest: 'b' }, webhook, false],
  ['another author with the same id', { ...webhook, digest: 'b', user_id: userId(8) }, webhook, false],
  ['a late one whose webhook came', { ...late, digest: 'b' }, webhook, true],
  [
    'a late one whose webhook came from another author',
    { ...late, digest: 'b', user_id: userId(8) },
    webhook,
    false,
  ],
  ['a late one again, edited meanwhile', { ...late, digest: 'b' }, late, true],
  ['the webhook of a late one', { ...webhook, digest: 'b' }, late, true],
  [
    'the webhook of a late one of another author',
    { ...webhook, digest: 'b', user_id: userId(8) },
    late,
    false,
  ],
  [
    'a webhook so long after a late one that the id was given again',
    { ...webhook, digest: 'b', accepted_at: 11 * HOUR + 1 },
    late,
    false,
  ],
])('%s: %#', (_name, arriving, stored, expected) => {
  expect(decideDuplicate(arriving, stored)).toBe(expected);
});
