import { makeForget } from '../api/forget.ts';
import { noticeOf } from '../bots/bots.ts';
import { makeAcceptMessage, makeSteering, parseCommand } from '../commands/commands.ts';
import type { Config } from '../config.ts';
import { makeRemark } from '../turn/turn.ts';
import { makeOverloadGuard } from '../webhook/webhook.ts';
import type { buildEngine, EngineDeps } from './engine.ts';

type Engine = Awaited<ReturnType<typeof buildEngine>>;

/** What every arriving message goes through, and what steers a conversation from outside its turns. */
export function buildArrival(config: Config, engine: Engine, deps: EngineDeps) {
  const { sessions, sender, queue, people } = engine;
  const { clock, log, telemetry, store, bots, chat } = deps;
  const remark = makeRemark({ outbox: store.outbox, bots, noticeText: noticeOf, owed: sender.wake });
  const forget = makeForget({
    records: store.sessions,
    sessions,
    queue,
    tellStopped: (conversation) => remark(conversation, 'stopped', null),
  });
  const steering = makeSteering({
    queue,
    sessions,
    records: store.sessions,
    inbox: store.inbox,
    ledger: store.ledger,
    bots,
    clock,
    // Whoever gave the command is answered.
    forget: (conversation) => forget.conversation(conversation, 'told'),
    onCompacted: (conversation, outcome) =>
      log.info({ conversation, outcome: outcome instanceof Error ? outcome.message : outcome }, 'compacted'),
  });
  const guard = makeOverloadGuard({
    limits: config.floodLimits,
    overflow: store.overflow,
    countWaiting: async () => (await store.inbox.counts()).waiting,
    bots,
    isCommand: (text) => parseCommand(text) !== null,
    isOurs: people.isOurs,
    noticeText: noticeOf,
    owed: sender.wake,
    clock,
    metrics: telemetry.metrics,
  });
  const acceptMessage = makeAcceptMessage({
    arrivals: { ...store.arrivals, accept: guard.acceptWaiting },
    steering,
    ledger: store.ledger,
    bots,
    clock,
    timeZone: config.timeZone,
    isOurs: people.isOurs,
    isBot: people.isBot,
    isAdministrator: (message) => chat.isAdministrator(message, message.userId),
    owed: sender.wake,
  });
  const accept = guard.admit(acceptMessage);
  return { forget, steering, accept };
}
