import { parseConversationKey } from '../base/conversation.ts';
import type { ConversationKey } from '../base/terms.ts';
import type { Bots, NoticeKind } from '../bots/bots.ts';
import type { Inbox, InboxMessage } from '../inbox/inbox.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { NoticeText } from './replies.ts';

export type RemarkDeps = {
  readonly outbox: Pick<Outbox, 'add'>;
  readonly bots: Pick<Bots, 'get'>;
  readonly noticeText: NoticeText;
  /** Replies were committed: the sender may look. */
  owed(): void;
};

export type WaitRemarkDeps = RemarkDeps & {
  readonly inbox: Pick<Inbox, 'newestWaiting'>;
  /** Whether the author is a bot; null when nothing readable says so. */
  isBot(message: InboxMessage): Promise<boolean | null>;
};

/** Tells people that they wait, and no bot, which would answer that. Without `message` it is about the newest. */
export function makeWaitRemark({ inbox, isBot, ...deps }: WaitRemarkDeps): ReturnType<typeof makeRemark> {
  const remark = makeRemark(deps);
  return async (key, kind, message) => {
    const whose = message ?? (await inbox.newestWaiting(key));
    if (whose !== null && (await isBot(whose)) !== true) await remark(key, kind, message);
  };
}

/** Says something to a conversation's room beside its turns: that it waits, or waits long. Not an end of anything. */
export function makeRemark(deps: RemarkDeps) {
  return async (key: ConversationKey, kind: NoticeKind, message: InboxMessage | null): Promise<void> => {
    const conversation = parseConversationKey(key);
    const bot = conversation && deps.bots.get(conversation.botId);
    if (conversation === null || bot === null) return;
    const { chat, roomId, botId } = conversation;
    const markdown = deps.noticeText(kind, bot);
    await deps.outbox.add([
      { conversation: key, chat, roomId, botId, inboxId: message?.id ?? null, kind, markdown },
    ]);
    deps.owed();
  };
}
