import { startOfDay } from '../base/local-day.ts';
import type { InboxMessage } from '../inbox/inbox.ts';
import type { SessionPlan } from '../session/session.ts';
import { decideBudget } from './decide-budget.ts';
import type { TurnDeps } from './turn.ts';

/** Which budget a turn for this message would find used up. Bots without limits ask the ledger nothing. */
export async function findUsedUp(
  plan: SessionPlan,
  message: InboxMessage,
  deps: Pick<TurnDeps, 'ledger' | 'clock' | 'timeZone'>,
): Promise<'session' | 'day' | null> {
  const { bot, record, tier } = plan;
  const { maxSessionCostUsd: maxSessionUsd, maxUserDayCostUsd: maxUserDayUsd } = bot;
  // A session that the turn is to begin has spent nothing.
  const since = tier === 'cold' ? null : (record?.createdAt ?? null);
  const sessionUsd =
    maxSessionUsd === null || since === null
      ? 0
      : await deps.ledger.spent({ conversation: message.conversation, since });
  const userDayUsd = maxUserDayUsd === null ? 0 : await spentToday(message, deps);
  return decideBudget({ sessionUsd, maxSessionUsd, userDayUsd, maxUserDayUsd });
}

/** Where a day began is found by trial: asked only where it counts. */
function spentToday(
  { botId, userId }: InboxMessage,
  { ledger, clock, timeZone }: Pick<TurnDeps, 'ledger' | 'clock' | 'timeZone'>,
): Promise<number> {
  return ledger.spent({ bot: botId, user: userId, since: startOfDay(clock.now(), timeZone) });
}
