import { expect, test } from 'vitest';
import type { ConversationKey, Lease } from '../base/terms.ts';
import { rewarmRecent } from './rewarm-recent.ts';

const keys = ['builtin:1:a', 'builtin:2:a', 'builtin:3:a'] as ConversationKey[];
/** Runs work at once, under a lease that only says whose it is. */
const queue = {
  runBetween: <Result>(conversation: ConversationKey, work: (lease: Lease) => Promise<Result>) =>
    work({ conversation } as Lease),
};

test('resumes one after the other and counts what came of it', async () => {
  const seen: ConversationKey[] = [];
  const outcome = await rewarmRecent(Promise.resolve(keys), queue, async ({ conversation }) => {
    seen.push(conversation);
    if (conversation === keys[1]) throw new Error('it does not start');
    return conversation === keys[2];
  });
  expect(seen).toEqual(keys);
  expect(outcome).toEqual({ resumed: 1, failed: 1 });
});

test('resumes nobody when the conversations cannot be read', async () => {
  const unreadable = Promise.reject(new Error('the database is away'));
  expect(await rewarmRecent(unreadable, queue, async () => true)).toEqual({ resumed: 0, failed: 0 });
});
