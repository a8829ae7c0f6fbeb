/** Builds what runs turns: agents, sessions, queue, sender. */
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Agents, ModelEndpoint, SandboxProbe } from '../agent/agent.ts';
import { makeClaudeAgents, SDK_VERSION } from '../agent/claude/claude.ts';
import type { OfflineModel } from '../agent/offline/offline-model.ts';
import { makeBus } from '../base/bus.ts';
import { parseConversationKey } from '../base/conversation.ts';
import type { ConversationKey } from '../base/terms.ts';
import { type Bot, type Bots, noticeOf, ttlIn } from '../bots/bots.ts';
import { makeAuthorCheck } from '../chat/author.ts';
import type { Chat } from '../chat/chat.ts';
import type { Config } from '../config.ts';
import { makeSender } from '../outbox/sender.ts';
import { makeQueue, type Queue, rewarmRecent } from '../queue/queue.ts';
import { decideRewarming, makeEndpoints, makeSessions, type Sessions } from '../session/session.ts';
import { makeWorkspaces } from '../session/workspaces.ts';
import type { Store } from '../store/store.ts';
import { collectCircuit } from '../telemetry/endpoint-metrics.ts';
import { machineShare } from '../telemetry/machine-memory.ts';
import type { Log } from '../telemetry/telemetry.ts';
import { makeInWords, makeLoopBreaker, makeWaitRemark, runTurn, type TurnEvent } from '../turn/turn.ts';
import { type ChatDeps, LEASE_MS } from './open-parts.ts';
import { homesIn } from './take-folder.ts';
import { withCacheFiles } from './with-cache-files.ts';

export const POLL_MS = 1_000;

/** An interrupted turn that has not ended after this long is ended with its whole family. */
export const GRACE_MS = 10_000;

/** A start is CPU: two for each two cores. */
const STARTS_AT_ONCE = Math.max(2, availableParallelism());

/** A second endpoint answers sooner than the first one gets well. */
const RETRIES_BEFORE_FALLBACK = 1;

export type EngineDeps = ChatDeps & {
  readonly chat: Chat;
  readonly offlineModel: OfflineModel | null;
  readonly sandbox: SandboxProbe;
};

/** From a waiting message to a reply that is owed, and out. */
export async function buildEngine(config: Config, deps: EngineDeps) {
  const { clock, log, telemetry, store, bots, chat } = deps;
  const sender = makeSender({
    outbox: store.outbox,
    chats: (name) => (name === chat.name ? chat : null),
    clock,
    ...telemetry,
  });
  const { agents, ownerId, reaped } = await openAgents(config, deps);

  const workspaces = makeWorkspaces(join(config.dataDir, 'workspaces'));
  const turnEvents = makeBus<TurnEvent>((error) => log.error({ error }, 'a listener of turn events failed'));
  const endpoints = makeEndpoints({
    primary: endpointOf(config, deps.offlineModel),
    fallback: fallbackOf(config),
    clock,
  });
  collectCircuit(telemetry.metrics, endpoints.circuit);
  const engine = makeSessions({
    records: store.sessions,
    transcripts: store.transcripts,
    history: store.history,
    bots,
    agents,
    leases: store.leases,
    clock,
    telemetry,
    endpoints,
    machineShare,
    models: {
      get: async (conversation) => (await store.meta.get(`model ${conversation}`)) || null,
      set: (conversation, model) => store.meta.set(`model ${conversation}`, model ?? ''),
    },
    sdkVersion: SDK_VERSION,
    workspaceOf: workspaces.pathOf,
    deleteWorkspace: workspaces.delete,
    ttlOf: (bot, key) => ttlIn(bot, parseConversationKey(key)?.roomId ?? null),
    limits: {
      mostLive: config.maxHotSessions,
      budgetMb: config.agentMemoryBudgetMb,
      spares: config.spareAgents,
      highWatermark: config.memoryHighWatermark,
      resume: config.sessionResume,
      stateless: config.sessionMode === 'stateless',
    },
  });
  const { sessions, changed } = withCacheFiles(config, engine, deps);
  const people = makeAuthorCheck({ chat, ownKeys: () => bots.all().flatMap((bot) => bot.key ?? []) });
  const turnDeps = {
    inbox: store.inbox,
    sessions,
    store: store.turns,
    ledger: store.ledger,
    bots,
    loopBreaker: makeLoopBreaker(),
    noticeText: noticeOf,
    clock,
    telemetry,
    saveText: workspaces.saveText,
    timeZone: config.timeZone,
    inWords: makeInWords(config.timeZone),
    limits: { stuckAfterMs: config.stuckAfterMs, graceMs: GRACE_MS, maxAgeMs: config.messageMaxAgeMs },
    isBot: people.isBot,
    publish: turnEvents.publish,
    owed: sender.wake,
    deliver: sender.deliver,
  };
  const queue = makeQueue({
    inbox: store.inbox,
    leases: store.leases,
    clock,
    telemetry,
    async runTurn(lease, watch) {
      const outcome = await runTurn(lease, watch, turnDeps);
      if (outcome.kind === 'ran') changed(lease.conversation);
      return outcome;
    },
    doubleTextingOf: (key) => botOf(key, bots)?.doubleTexting ?? config.doubleTexting,
    remark: makeWaitRemark({ ...turnDeps, outbox: store.outbox }),
    limits: {
      atOnce: config.maxHotSessions,
      pollMs: POLL_MS,
      renewMs: LEASE_MS / 3,
      overdueMs: config.queueWaitMs,
    },
  });
  return { agents, ownerId, reaped, endpoints, sessions, sender, queue, turnEvents, people };
}

type OpenAgents = {
  readonly agents: Agents;
  readonly ownerId: string;
  /** Whom an earlier server left behind is gone; nothing may run before that. */
  readonly reaped: Promise<void>;
};

async function openAgents(config: Config, deps: EngineDeps): Promise<OpenAgents> {
  const { clock, log, closers, telemetry, store } = deps;
  const ownerId = await store.meta.getOrCreate('owner', randomUUID);
  const agents = makeClaudeAgents({
    homes: homesIn(config.dataDir),
    ownerId,
    transcripts: store.transcripts,
    registry: store.agents,
    baseEnv: config.agentEnv,
    startsAtOnce: STARTS_AT_ONCE,
    ...(deps.sandbox.kind === 'works' ? { shell: { secretFolders: config.botsDirs } } : {}),
    ...(deps.agentExecutable === undefined ? {} : { executable: deps.agentExecutable }),
    clock,
    ...telemetry,
  });
  const reaped = agents.reap().then((left) => {
    if (left.families > 0) log.warn(left, 'ended agent families that an earlier server left behind');
  });
  // Whoever waits for it is told; until somebody does, its failure is nobody's bug.
  reaped.catch(() => {});
  closers.push(() => agents.closeAll());
  return { agents, ownerId, reaped };
}

/** Resumes the most recent conversations ahead of their next message. Never rejects: nobody waits for it. */
export async function rewarmSome(
  config: Config,
  deps: { store: Store; bots: Bots; sessions: Sessions; queue: Queue; log: Log },
): Promise<void> {
  const { store, bots, sessions, queue, log } = deps;
  // There no process waits for anybody.
  if (config.sessionMode === 'stateless') return;
  const recent = store.sessions.list(decideRewarming(config));
  const outcome = await rewarmRecent(
    recent.then((records) => records.map(({ conversation }) => conversation)),
    queue,
    async (lease) => {
      const bot = botOf(lease.conversation, bots);
      return bot !== null && sessions.rewarm(lease, bot);
    },
  );
  if (outcome.resumed + outcome.failed > 0)
    log.info(outcome, 'resumed conversations ahead of their next message');
}

function botOf(key: ConversationKey, bots: Bots): Bot | null {
  const conversation = parseConversationKey(key);
  return conversation && bots.get(conversation.botId);
}

function fallbackOf(config: Config): Parameters<typeof makeEndpoints>[0]['fallback'] {
  const fallback = config.model.kind === 'endpoint' ? config.model.fallback : null;
  return fallback && { endpoint: { name: fallback.name, env: fallback.env }, model: fallback.model };
}

/** Which endpoint and credential the agents are given. */
export function endpointOf(config: Config, offline: OfflineModel | null): ModelEndpoint {
  if (offline !== null) return offline.endpoint;
  if (config.model.kind !== 'endpoint') return { name: 'primary', env: {} };
  const { primary, fallback } = config.model;
  return fallback === null ? primary : { ...primary, retries: RETRIES_BEFORE_FALLBACK };
}
