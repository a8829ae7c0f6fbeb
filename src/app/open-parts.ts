/** Opens what the server keeps and where it speaks: store, bots, chat. */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxProbe } from '../agent/agent.ts';
import { type Bus, makeBus } from '../base/bus.ts';
import { parseConversationKey } from '../base/conversation.ts';
import { BUILTIN_CHAT, type ChatName, chatName } from '../base/terms.ts';
import { type Bots, makeBots, ttlIn } from '../bots/bots.ts';
import { makeBuiltinRoom } from '../chat/builtin/builtin.ts';
import type { Chat, RoomMessage, RoomStore } from '../chat/chat.ts';
import type { Config } from '../config.ts';
import { makeWorkspaces } from '../session/workspaces.ts';
import { makeRetentionRuns } from '../store/retention.ts';
import { lockFolder } from '../store/sqlite/lock.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { type Database, makeStore, type Store } from '../store/store.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { collectWrites } from '../telemetry/write-metrics.ts';
import type { Ground } from './ground.ts';

export const LEASE_MS = 60_000;

/** Opens the data folder for this process alone; rejects with `FolderLocked`. */
export async function openStore(config: Config, ground: Ground & { telemetry: Telemetry }) {
  const { clock, closers, log, telemetry, wrapStore = (store) => store } = ground;
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  if (!(await closeToOthers(config.dataDir)))
    log.warn('other users of this machine can read DATA_DIR, and it is not ours to close');
  const lock = ground.lock ?? (await lockFolder(config.dataDir, clock));
  closers.push(() => lock.release());
  const database = await openDatabase(config, ground);
  collectWrites(telemetry.metrics, database.stats);
  const store = wrapStore(makeStore(database, clock, { holder: randomUUID(), leaseMs: LEASE_MS }));
  closers.push(() => store.close());
  const left = await store.recover();
  if (left.agents.length > 0)
    log.warn({ agents: left.agents }, 'agents of an earlier server that was killed');
  return { store, lock };
}

const OTHERS = 0o077;
const STICKY = 0o1000;

/**
 * A folder that was there before may let other users in, to bot keys and all that was said. False when it does and
 * belongs to somebody else, as mounted ones may, or to everybody, as `/tmp` does.
 */
async function closeToOthers(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & OTHERS) === 0) return true;
  if ((mode & STICKY) !== 0) return false;
  try {
    await chmod(folder, mode & 0o7777 & ~OTHERS);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return false;
    throw error;
  }
}

async function openDatabase(
  config: Config,
  { clock, log, exclusive = true, giveUp = () => {} }: Ground,
): Promise<Database> {
  if (config.databaseUrl !== null) {
    // Here and below: loaded where it is used, so that no start waits for what it does not need.
    const { openPostgres } = await import('../store/postgres/postgres.ts');
    return openPostgres(config.databaseUrl, { clock, log, exclusive, onTaken: giveUp });
  }
  return openSqlite(join(config.dataDir, 'firekeeper.sqlite'), clock);
}

export async function openBots(
  config: Config,
  { clock, closers, log }: Ground,
  sandbox: SandboxProbe,
): Promise<Bots> {
  const { language, defaultModel: model, sessionScope, sessionTtlMs, doubleTexting, turnTimeoutMs } = config;
  const keys = { keys: config.botKeys, defaultKey: config.botKey };
  const noShell = sandbox.kind === 'missing' ? sandbox.reason : null;
  const rules = { sessionScope, sessionTtlMs, doubleTexting, turnTimeoutMs };
  const defaults = { language, model, ...rules, ...keys, noShell };
  const bots = await makeBots({ dirs: config.botsDirs, defaults, clock, log });
  closers.push(() => bots.close());
  return bots;
}

export type ChatDeps = Ground & { readonly telemetry: Telemetry; readonly store: Store; readonly bots: Bots };

export type OpenChat = {
  readonly chat: Chat;
  /** The built-in room's messages, and news of them; null where Campfire is the chat. */
  readonly rooms: RoomStore | null;
  readonly roomEvents: Bus<RoomMessage> | null;
};

/** Campfire where one is configured, else the built-in room, whose messages the page hears of. */
export async function openChat(config: Config, deps: ChatDeps): Promise<OpenChat> {
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
  const { makeCampfire } = await import('../chat/campfire/campfire.ts');
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
export function startRetention(config: Config, deps: ChatDeps): void {
  const { clock, closers, telemetry, store, bots } = deps;
  const runs = makeRetentionRuns({
    ...telemetry,
    ...{ clock, retention: store.retention, leases: store.leases, keep: config },
    projects: store.projects.upkeep,
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
