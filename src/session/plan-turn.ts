import type { Lease } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import { decideTier, type TierDecision } from './decide-tier.ts';
import type { SessionEngine } from './engine.ts';
import { readTail } from './read-tail.ts';
import type { SessionPlan, SessionRecord } from './session.ts';
import { fingerprintOf, toAgentSpec } from './spec.ts';

/** Gathers what `decideTier` wants to know. A live process makes reading the store needless. */
export async function planTurn(lease: Lease, bot: Bot, engine: SessionEngine): Promise<SessionPlan> {
  const { conversation } = lease;
  const current = engine.live.get(conversation);
  const record = current?.record ?? (await engine.records.current(conversation));
  const chosen = engine.endpoints.choose(conversation);
  const model = chosen.model ?? (await engine.models.get(conversation));
  const spec = toAgentSpec(bot, { ...chosen, model });
  const fingerprint = fingerprintOf(spec, engine.sdkVersion);
  const live = current && {
    healthy: current.agent.alive,
    sameFingerprint: current.fingerprint === fingerprint,
    ahead: current.turns === 0,
  };
  const reusable = live?.healthy && live.sameFingerprint;
  const stored =
    record === null || reusable
      ? null
      : await engine.transcripts.after(record.sessionId, record.settledEntry);
  const decision = decideTier({
    now: engine.clock.now(),
    ttlMs: engine.ttlOf(bot, conversation),
    record,
    live,
    transcript: reusable ? 'unread' : stored === null ? 'missing' : 'reaches',
    failures: engine.failures.of(conversation),
    resume: engine.limits.resume,
  });
  const recap = await recapFor(decision, record, bot, engine);
  return { lease, bot, ...decision, record, tail: readTail(stored ?? []), recap, spec, fingerprint };
}

/** A session that was lost goes on with what our own inbox and outbox remember; an expired one where the bot says so. */
async function recapFor(
  { ends }: TierDecision,
  record: SessionRecord | null,
  bot: Bot,
  engine: SessionEngine,
): Promise<SessionPlan['recap']> {
  if (record === null || ends === null || record.turnCount === 0) return [];
  if (ends === 'expired' && !bot.recap) return [];
  return engine.history.recent(record.conversation, MOST_RECAPPED);
}

/** Messages and replies that a recap holds at most. */
const MOST_RECAPPED = 12;
