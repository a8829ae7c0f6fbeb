import type { Lease } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import { decideTier } from './decide-tier.ts';
import type { SessionEngine } from './engine.ts';
import { chosenModel } from './models.ts';
import { readTail } from './read-tail.ts';
import type { SessionPlan, SessionRecord, SessionState } from './session.ts';
import { fingerprintOf, toAgentSpec } from './spec.ts';

/** Gathers what `decideTier` wants to know. A live process makes reading the store needless. */
export async function planTurn(lease: Lease, bot: Bot, engine: SessionEngine): Promise<SessionPlan> {
  const { conversation } = lease;
  const current = engine.live.get(conversation);
  const record = current?.record ?? (await engine.records.current(conversation));
  const chosen = engine.endpoints.choose(conversation);
  const model = chosen.model ?? chosenModel(await engine.models.get(conversation), bot);
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
  const former = hasSettled(record) ? null : await engine.records.formerEnd(conversation);
  const decision = decideTier({
    now: engine.clock.now(),
    ttlMs: engine.ttlOf(bot, conversation),
    record,
    former,
    live,
    transcript: reusable ? 'unread' : stored === null ? 'missing' : 'reaches',
    failures: engine.failures.of(conversation),
    resume: engine.limits.resume,
  });
  const gone = hasSettled(record) ? decision.ends : former;
  const recap = isTold(gone, bot) ? await engine.history.recent(conversation, MOST_RECAPPED) : [];
  const isLoss = recap.length > 0 && gone !== 'expired';
  return { lease, bot, ...decision, record, tail: readTail(stored ?? []), recap, isLoss, spec, fingerprint };
}

/** One of which no turn has settled remembers nothing: what counts is the one before it. */
function hasSettled(record: SessionRecord | null): boolean {
  return record !== null && record.turnCount > 0;
}

/** A session that was lost goes on with what our own inbox and outbox remember; an expired one where the bot says so. */
function isTold(gone: SessionState | null, bot: Bot): boolean {
  return gone === 'lost' || gone === 'quarantined' || (gone === 'expired' && bot.recap);
}

/** Messages and replies that a recap holds at most. */
const MOST_RECAPPED = 12;
