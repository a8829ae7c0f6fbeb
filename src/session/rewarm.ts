import type { Lease } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { SessionEngine } from './engine.ts';
import { startPlanned } from './open-session.ts';
import { planTurn } from './plan-turn.ts';

/**
 * Resumes a conversation ahead of its next message, so that this one finds its process ready. Nobody waits for it, so
 * it takes nobody's room; false: nothing was started.
 */
export async function rewarm(lease: Lease, bot: Bot, engine: SessionEngine): Promise<boolean> {
  const key = lease.conversation;
  if (engine.live.get(key)?.agent.alive) return false;
  const plan = await planTurn(lease, bot, engine);
  // A tail means that a turn is to be repeated: that turn decides from what it starts.
  if (plan.tier !== 'warm' || plan.tail.kind !== 'empty') return false;
  // One that died is still known until the next look, and its family may still be going.
  await engine.live.close(key);
  const entry = await engine.live.admitAhead(key, bot.id, () => startPlanned(plan, 'rewarm', engine));
  return entry !== null;
}
