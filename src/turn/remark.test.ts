import { expect, it } from 'vitest';
import { type ConversationKey, type InboxId, userId } from '../base/terms.ts';
import type { InboxMessage } from '../inbox/inbox.ts';
import { makeWaitRemark } from './remark.ts';

const lobby = 'builtin:lobby:helper' as ConversationKey;
const message = { id: 7 as InboxId, conversation: lobby, userId: userId('9') } as InboxMessage;

/** What is said to whom where the newest message that waits is `newest`, written by a bot or not. */
async function remarksTo(
  newest: InboxMessage | null,
  isBot: boolean | null,
  given: InboxMessage | null = null,
) {
  const said: unknown[] = [];
  const remark = makeWaitRemark({
    inbox: { newestWaiting: async () => newest },
    isBot: async () => isBot,
    outbox: {
      add: async (replies) => void said.push(...replies.map(({ kind, inboxId }) => [kind, inboxId])),
    },
    bots: { get: () => ({}) as never },
    noticeText: (kind) => kind,
    owed: () => {},
  });
  await remark(lobby, given === null ? 'busy' : 'takes_longer', given);
  return said;
}

it.each([
  ['a person is told that the bot is busy', message, false, null, [['busy', null]]],
  ['so is somebody of whom nothing readable says anything', message, null, null, [['busy', null]]],
  ['a bot is told nothing', message, true, null, []],
  ['nobody is told anything when nothing waits any more', null, false, null, []],
  ['a person whose message waits long is told so', null, false, message, [['takes_longer', 7]]],
  ['a bot whose message waits long is not', null, true, message, []],
] as const)('%s', async (_name, newest, isBot, given, expected) => {
  expect(await remarksTo(newest, isBot, given)).toEqual(expected);
});
