/** Builds every part and joins them; the only file that knows them all. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Agents, ModelEndpoint } from './agent/agent.ts';
import { makeClaudeAgents, SDK_VERSION } from './agent/claude/claude.ts';
import { type OfflineModel, startOfflineModel } from './agent/offline/offline-model.ts';
import { apiRoutes } from './api/api.ts';
import { makeCollectFacts, makeStats } from './api/collect-stats.ts';
import { makeForget } from './api/forget.ts';
import { makeHttp } from './api/http.ts';
import { makeLogin } from './api/login.ts';
import { type Bus, makeBus } from './base/bus.ts';
import { type Clock, within } from './base/clock.ts';
import { parseConversationKey } from './base/conversation.ts';
import { toError } from './base/errors.ts';
import { readOrMakeSecret } from './base/secret-file.ts';
import { BUILTIN_CHAT, type ChatName, type ConversationKey, chatName } from './base/terms.ts';
import { type Bot, type Bots, makeBots, noticeOf, ttlIn } from './bots/bots.ts';
import { makeAuthorCheck } from './chat/author.ts';
import { makeBuiltinRoom } from './chat/builtin/builtin.ts';
import { makeCampfire } from './chat/campfire/campfire.ts';
import type { Chat, RoomMessage, RoomStore } from './chat/chat.ts';
import { makeAcceptMessage, makeSteering, parseCommand } from './commands/commands.ts';
import type { Config } from './config.ts';
import { makeSender } from './outbox/sender.ts';
import { makeQueue, type Queue, rewarmRecent } from './queue/queue.ts';
import { makeCacheFiles } from './session/cache-files.ts';
import { decideRewarming, makeEndpoints, makeSessions, type Sessions } from './session/session.ts';
import { makeWorkspaces } from './session/workspaces.ts';
import { openPostgres } from './store/postgres/postgres.ts';
import { makeRetentionRuns } from './store/retention.ts';
import { lockFolder } from './store/sqlite/lock.ts';
import { openSqlite } from './store/sqlite/sqlite.ts';
import { type Database, makeStore, type Store } from './store/store.ts';
import { makeHealth } from './telemetry/health.ts';
import { machineShare } from './telemetry/machine-memory.ts';
import { makeMetrics } from './telemetry/metrics.ts';
import type { Log, Telemetry } from './telemetry/telemetry.ts';
import { collectWrites } from './telemetry/write-metrics.ts';
import { makeLoopBreaker, makeRemark, runTurn, type TurnEvent } from './turn/turn.ts';
import { VERSION } from './version.ts';
import { makeCatchUp, makeOverloadGuard, webhookRoutes } from './webhook/webhook.ts';

const LEASE_MS = 60_000;
const POLL_MS = 1_000;
const SWEEP_MS = 60_000;
/** An interrupted turn that has not ended after this long is ended with its whole family. */
const GRACE_MS = 10_000;
/** What a turn that was interrupted at the end of the drain may take to end by itself. */
const INTERRUPT_MS = 500;
/** After the drain, for replies that are owed to go out. */
const LAST_REPLIES_MS = 500;
const STARTS_AT_ONCE = 2;
const WEB_ROOT = new URL('../web/', import.meta.url).pathname;

export type App = {
  /** Where it listens, such as `http://127.0.0.1:5000`. */
  readonly address: string;
  /** A single-use login code for the page. */
  loginCode(): string;
  /** The parts, for tests and benchmarks. */
  readonly parts: {
    readonly agents: Agents;
    readonly store: Store;
    readonly bots: Bots;
    readonly sessions: Sessions;
    readonly queue: Queue;
    readonly telemetry: Telemetry;
  };
  /** What happens in turns, as it happens. */
  readonly turnEvents: ReturnType<typeof makeBus<TurnEvent>>;
  readonly offlineModel: OfflineModel | null;
  /** Finishes what runs (up to `DRAIN_SECONDS`), ends every family, closes everything. Sessions stay. */
  stop(): Promise<void>;
};

export type AppDeps = {
  readonly log: Log;
  readonly clock: Clock;
  /** Runs instead of Claude's process. For tests alone, so it is no setting. */
  readonly agentExecutable?: string;
  /** Told when another server has taken the database over: this one can write nothing any more, and its owner stops it. */
  readonly giveUp?: (why: Error) => void;
};

/** Starts the server; resolves when it listens. Whatever fails, nothing stays open. */
export async function makeApp(config: Config, deps: AppDeps): Promise<App> {
  const closers: Closers = [];
  try {
    return await build(config, { ...deps, closers });
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** What is open, in the order in which it was opened; closed in reverse. */
type Closers = (() => unknown)[];

async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

type Ground = AppDeps & { readonly closers: Closers };

async function build(config: Config, ground: Ground): Promise<App> {
  const { clock, closers, log } = ground;
  const telemetry: Telemetry = { log, metrics: makeMetrics() };
  const { store, lock } = await openStore(config, { ...ground, telemetry });
  const bots = await openBots(config, ground);
  const { chat, rooms, roomEvents } = await openChat(config, { ...ground, telemetry, store, bots });
  const offlineModel = config.model.kind === 'offline' ? await startOfflineModel({ clock }) : null;
  closers.push(() => offlineModel?.close());
  const engine = await buildEngine(config, { ...ground, telemetry, store, bots, chat, offlineModel });
  const { agents, sessions, sender, queue, turnEvents } = engine;

  let draining = false;
  const { http, login, catchUp } = await buildHttp(config, {
    ...engine,
    telemetry,
    clock,
    store,
    bots,
    chat,
    rooms,
    roomEvents,
    isDraining: () => draining,
  });
  closers.push(() => http.close());
  await http.listen({ host: config.host, port: config.port });
  const { port } = http.server.address() as AddressInfo;
  const address = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  await lock.announce(address);
  telemetry.metrics.collectProcess();
  queue.start();
  void rewarmSome(config, { store, bots, sessions, queue, log });
  sender.start();
  catchUp.start();
  closers.push(catchUp.close);
  closers.push(clock.every(SWEEP_MS, () => void sessions.sweep()));
  startRetention(config, { ...ground, telemetry, store, bots });

  return {
    address,
    loginCode: login.codes.issue,
    parts: { store, bots, agents, sessions, queue, telemetry },
    turnEvents,
    offlineModel,
    async stop() {
      draining = true;
      const drained = queue.drain(config.drainMs);
      // An agent that ignores its interrupt does not hold up the stop: closing it ends its turn.
      await within(clock, config.drainMs + INTERRUPT_MS, drained);
      await sessions.closeAll();
      await drained;
      await sender.drain(LAST_REPLIES_MS);
      await closeAll(closers);
    },
  };
}

/** Nobody waits for it: what fails here is met again, and told, by the conversation's next turn. */
async function rewarmSome(
  config: Config,
  deps: { store: Store; bots: Bots; sessions: Sessions; queue: Queue; log: Log },
): Promise<void> {
  const { store, bots, sessions, queue, log } = deps;
  const most = decideRewarming(config);
  try {
    const recent = await store.sessions.list(most);
    const count = await rewarmRecent(
      recent.map(({ conversation }) => conversation),
      queue,
      async (lease) => {
        const conversation = parseConversationKey(lease.conversation);
        const bot = conversation && bots.get(conversation.botId);
        return bot !== null && sessions.rewarm(lease, bot);
      },
    );
    if (count > 0) log.info({ count }, 'resumed conversations ahead of their next message');
  } catch (error) {
    log.warn(
      { error: toError(error).message },
      'conversations could not be resumed ahead of their next message',
    );
  }
}

/** Opens the data folder for this process alone; rejects with `FolderLocked`. */
export async function openStore(config: Config, ground: Ground & { telemetry: Telemetry }) {
  const { clock, closers, telemetry } = ground;
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(config.dataDir, clock);
  closers.push(() => lock.release());
  const database = await openDatabase(config, ground);
  collectWrites(telemetry.metrics, database.stats);
  const store = makeStore(database, clock, { holder: randomUUID(), leaseMs: LEASE_MS });
  closers.push(() => store.close());
  await store.recover();
  return { store, lock };
}

function openDatabase(config: Config, { clock, log, giveUp = () => {} }: Ground): Promise<Database> {
  if (config.databaseUrl !== null) return openPostgres(config.databaseUrl, { clock, log, onTaken: giveUp });
  return openSqlite(join(config.dataDir, 'firekeeper.sqlite'), clock);
}

async function openBots(config: Config, { clock, closers, log }: Ground): Promise<Bots> {
  const { language, defaultModel: model, sessionScope, sessionTtlMs, doubleTexting, turnTimeoutMs } = config;
  const keys = { keys: config.botKeys, defaultKey: config.botKey };
  const defaults = { language, model, sessionScope, sessionTtlMs, doubleTexting, turnTimeoutMs, ...keys };
  const bots = await makeBots({ dirs: config.botsDirs, defaults, clock, log });
  closers.push(() => bots.close());
  return bots;
}

type ChatDeps = Ground & { readonly telemetry: Telemetry; readonly store: Store; readonly bots: Bots };

type OpenChat = {
  readonly chat: Chat;
  /** The built-in room's messages, and news of them; null where Campfire is the chat. */
  readonly rooms: RoomStore | null;
  readonly roomEvents: Bus<RoomMessage> | null;
};

/** Campfire where one is configured, else the built-in room, whose messages the page hears of. */
async function openChat(config: Config, deps: ChatDeps): Promise<OpenChat> {
  const { clock, log, closers, telemetry, store, bots } = deps;
  const roomEvents = makeBus<RoomMessage>((error) =>
    log.error({ error }, 'a listener of room events failed'),
  );
  const rooms: RoomStore = {
    ...store.roomMessages,
    async add(message) {
      const added = await store.roomMessages.add(message);
      roomEvents.publish(added);
      return added;
    },
  };
  if (config.campfireUrl === null) {
    const chat = makeBuiltinRoom({ store: rooms, botName: (id) => bots.get(id)?.name ?? id, clock });
    return { chat, rooms, roomEvents };
  }
  const name = await chatNameOf(config, store);
  const chat = makeCampfire({
    baseUrl: config.campfireUrl,
    name,
    keyOf: async (id) => bots.get(id)?.key ?? store.botKeys.learned(name, id),
    ...(config.campfireDbPath === null ? {} : { databasePath: config.campfireDbPath }),
    clock,
    ...telemetry,
  });
  closers.push(() => chat.close());
  return { chat, rooms: null, roomEvents: null };
}

/** The name of the chat that is configured: each Campfire has one of its own, made when it is first used. */
export async function chatNameOf(config: Config, { meta }: Pick<Store, 'meta'>): Promise<ChatName> {
  if (config.campfireUrl === null) return BUILTIN_CHAT;
  return chatName(`campfire:${await meta.getOrCreate(`campfire ${config.campfireUrl}`, randomUUID)}`);
}

/** What is older than `RETENTION_DAYS` goes while the server runs. */
function startRetention(config: Config, deps: ChatDeps): void {
  const { clock, closers, telemetry, store, bots } = deps;
  const runs = makeRetentionRuns({
    ...telemetry,
    ...{ clock, retention: store.retention, leases: store.leases, keep: config },
    deleteWorkspace: makeWorkspaces(join(config.dataDir, 'workspaces')).delete,
    ttlOf(conversation) {
      const of = parseConversationKey(conversation);
      const bot = of === null ? null : bots.get(of.botId);
      // Null where the bot's file is gone: then what holds without one.
      return of === null || bot === null ? config.sessionTtlMs : ttlIn(bot, of.roomId);
    },
  });
  runs.start();
  closers.push(runs.stop);
}

type EngineDeps = ChatDeps & { readonly chat: Chat; readonly offlineModel: OfflineModel | null };

/** The agents of this data folder, without any that an earlier server left behind. */
async function openAgents(config: Config, deps: EngineDeps): Promise<Agents> {
  const { clock, log, closers, telemetry, store } = deps;
  const agents = makeClaudeAgents({
    homes: join(config.dataDir, 'agents'),
    ownerId: await store.meta.getOrCreate('owner', randomUUID),
    transcripts: store.transcripts,
    registry: store.agents,
    baseEnv: config.agentEnv,
    startsAtOnce: STARTS_AT_ONCE,
    ...(deps.agentExecutable === undefined ? {} : { executable: deps.agentExecutable }),
    clock,
    ...telemetry,
  });
  const reaped = await agents.reap();
  if (reaped.families > 0) log.warn(reaped, 'ended agent families that an earlier server left behind');
  closers.push(() => agents.closeAll());
  return agents;
}

/** From a waiting message to a reply that is owed, and out. */
async function buildEngine(config: Config, deps: EngineDeps) {
  const { clock, log, telemetry, store, bots, chat } = deps;
  const sender = makeSender({
    outbox: store.outbox,
    chats: (name) => (name === chat.name ? chat : null),
    clock,
    ...telemetry,
  });
  const agents = await openAgents(config, deps);

  const workspaces = makeWorkspaces(join(config.dataDir, 'workspaces'));
  const turnEvents = makeBus<TurnEvent>((error) => log.error({ error }, 'a listener of turn events failed'));
  const engine = makeSessions({
    records: store.sessions,
    transcripts: store.transcripts,
    history: store.history,
    bots,
    agents,
    leases: store.leases,
    clock,
    telemetry,
    endpoints: makeEndpoints({
      primary: endpointOf(config, deps.offlineModel),
      fallback: fallbackOf(config),
      clock,
    }),
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
  const sessions = withCacheFiles(config, engine, turnEvents, deps);
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
    timeZone: config.timeZone,
    limits: { stuckAfterMs: config.stuckAfterMs, graceMs: GRACE_MS, maxAgeMs: config.messageMaxAgeMs },
    isBot: people.isBot,
    publish: turnEvents.publish,
    owed: sender.wake,
  };
  const queue = makeQueue({
    inbox: store.inbox,
    leases: store.leases,
    clock,
    telemetry,
    runTurn: (lease, watch) => runTurn(lease, watch, turnDeps),
    doubleTextingOf: (key) => botOf(key, bots)?.doubleTexting ?? config.doubleTexting,
    remark: makeRemark({ outbox: store.outbox, bots, noticeText: noticeOf, owed: sender.wake }),
    limits: {
      atOnce: config.maxHotSessions,
      pollMs: POLL_MS,
      renewMs: LEASE_MS / 3,
      overdueMs: config.queueWaitMs,
    },
  });
  const forget = makeForget({ records: store.sessions, sessions, queue });
  const steering = makeSteering({
    queue,
    sessions,
    records: store.sessions,
    inbox: store.inbox,
    ledger: store.ledger,
    bots,
    clock,
    forget: forget.conversation,
    onCompacted: (conversation, outcome) =>
      log.info({ conversation, outcome: outcome instanceof Error ? outcome.message : outcome }, 'compacted'),
  });
  const guard = makeOverloadGuard({
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
  return { agents, sessions, sender, queue, turnEvents, forget, steering, accept };
}

/** Where a folder for them is configured, the predecessor's session files follow each turn and each forget. */
function withCacheFiles(
  config: Config,
  sessions: Sessions,
  turnEvents: Bus<TurnEvent>,
  { store, log, closers }: EngineDeps,
): Sessions {
  if (config.sessionCacheDir === null) return sessions;
  const { sessionCacheDir: dir, timeZone } = config;
  const files = makeCacheFiles({ dir, records: store.sessions, timeZone, log });
  closers.push(() => files.close());
  turnEvents.subscribe(({ type, conversation }) => {
    if (type === 'turn.finished' || type === 'turn.failed') files.changed(conversation);
  });
  return {
    ...sessions,
    async forget(conversation) {
      await sessions.forget(conversation);
      files.changed(conversation);
    },
  };
}

type HttpParts = Awaited<ReturnType<typeof buildEngine>> &
  OpenChat & {
    readonly telemetry: Telemetry;
    readonly clock: Clock;
    readonly store: Store;
    readonly bots: Bots;
    isDraining(): boolean;
  };

/** The front doors, closed until `listen`. */
async function buildHttp(config: Config, parts: HttpParts) {
  const { agents, queue, turnEvents, forget, steering, accept } = parts;
  const { telemetry, clock, store, bots, chat, rooms, roomEvents } = parts;
  const adminToken = config.adminToken ?? (await readOrMakeSecret(join(config.dataDir, 'admin-token')));
  const login = makeLogin({ adminToken, publicUrl: config.publicUrl, clock });
  const http = makeHttp({
    host: config.host,
    publicUrl: config.publicUrl,
    version: VERSION,
    login,
    ...telemetry,
  });
  const health = makeHealth({
    version: VERSION,
    clock,
    checks: {
      database: () => store.inbox.counts().then(() => null),
      model: async () => (config.model.kind === 'none' ? config.model.reason : null),
      drain: async () => (parts.isDraining() ? 'stopping' : null),
    },
  });
  const stats = makeStats({
    agents,
    sessionViews: store.views.sessions,
    inbox: store.inbox,
    queue,
    ttlHours: config.sessionTtlMs / 3_600_000,
    dataDir: config.dataDir,
    budgetMb: config.agentMemoryBudgetMb,
  });
  const doors = { bots, accept, wake: queue.wake, clock, ...telemetry };
  const catchUp = makeCatchUp({
    ...doors,
    chat,
    botRooms: store.botRooms,
    known: store.inbox.known,
    firstSeen: async (bot) => {
      const key = `first seen ${chat.name} ${bot}`;
      return Number(await store.meta.getOrCreate(key, () => String(clock.now())));
    },
    catchUpMs: config.catchUpMs,
  });
  http.register(
    webhookRoutes({
      ...doors,
      chat: chat.name,
      botKeys: store.botKeys,
      botRooms: store.botRooms,
      notStored: catchUp.refused,
      webhookToken: config.webhookToken,
      envBotKey: config.botKey,
      roomMessages: rooms,
    }),
  );
  http.register(
    apiRoutes({
      ...doors,
      login,
      health,
      webRoot: WEB_ROOT,
      stats,
      forget,
      queue,
      compact: steering.compactNow,
      collectFacts: makeCollectFacts({ agents, queue }),
      sessionViews: store.views.sessions,
      inboxViews: store.views.inbox,
      turns: store.turns,
      chat: chat.name,
      rooms,
      turnEvents,
      roomEvents,
    }),
  );
  return { http, login, catchUp };
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
  return config.model.kind === 'endpoint' ? config.model.primary : { name: 'primary', env: {} };
}
