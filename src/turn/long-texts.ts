import type { InboxId } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { InboxMessage } from '../inbox/inbox.ts';
import { isTooLong } from './prompt.ts';
import type { TurnDeps } from './turn.ts';

/** For a bot that can read files: the others are told only how much is missing. */
export async function saveLongTexts(
  messages: readonly InboxMessage[],
  bot: Pick<Bot, 'builtinTools'>,
  deps: Pick<TurnDeps, 'saveText'>,
): Promise<ReadonlyMap<InboxId, string>> {
  const files = new Map<InboxId, string>();
  if (!bot.builtinTools.includes('Read')) return files;
  for (const { id, conversation, text } of messages) {
    if (!isTooLong(text)) continue;
    const file = await deps.saveText(conversation, id, text);
    if (file !== null) files.set(id, file);
  }
  return files;
}
