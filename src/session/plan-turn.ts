import type { Lease } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import { decideTier } from './decide-tier.ts';
import type { LiveAgents } from './live-agents.ts';
import { readTail } from './read-tail.ts';
import type { SessionDeps, SessionPlan } from './session.ts';
import { fingerprintOf, toAgentSpec } from './spec.ts';

/** Gathers what `decideTier` wants to know. A live process makes reading the store needless. */
export async function planTurn(
  lease: Lease,
  bot: Bot,
  deps: SessionDeps,
  liveAgents: LiveAgents,
): Promise<SessionPlan> {
  const current = liveAgents.get(lease.conversation);
  const record = current?.record ?? (await deps.records.current(lease.conversation));
  const spec = toAgentSpec(bot, deps.endpoint);
  const fingerprint = fingerprintOf(spec, deps.sdkVersion);
  const live = current && {
    healthy: current.agent.alive,
    sameFingerprint: current.fingerprint === fingerprint,
  };
  const reusable = live?.healthy && live.sameFingerprint;
  const stored =
    record === null || reusable ? null : await deps.transcripts.after(record.sessionId, record.settledEntry);
  const decision = decideTier({
    now: deps.clock.now(),
    ttlMs: deps.ttlOf(bot, lease.conversation),
    record,
    live,
    transcript: reusable ? 'unread' : stored === null ? 'missing' : 'reaches',
    resume: deps.limits.resume,
  });
  return { lease, bot, ...decision, record, tail: readTail(stored ?? []), spec, fingerprint };
}
