/** The whole server inside the bench's own process, so that every moment of a turn is told by one clock. */
import { makeApp } from '../../src/app.ts';
import { systemClock } from '../../src/base/clock.ts';
import { parseConversationKey, toConversationKey } from '../../src/base/conversation.ts';
import {
  type AgentId,
  botId,
  type ChatName,
  type ConversationKey,
  type Lease,
  roomId,
  userId,
} from '../../src/base/terms.ts';
import { readConfig } from '../../src/config.ts';
import type { Store } from '../../src/store/store.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import type { TurnEvent, TurnRecord } from '../../src/turn/turn.ts';
import { AUTHOR, type LocalCampfire, toWebhook } from './campfire.ts';
import { inTime } from './in-time.ts';
import type { Bench } from './run.ts';
import { postWebhook } from './server-process.ts';
import { BOT_ID, toServerEnv } from './settings.ts';

type App = Awaited<ReturnType<typeof makeApp>>;

/** Moments of one turn, in milliseconds after its message was on disk. */
export type TurnTimes = {
  readonly firstTextMs: number;
  /** The chat has the reply. */
  readonly postedMs: number;
  readonly record: TurnRecord;
};

export type TurnServer = {
  readonly app: App;
  /** When each agent was there for its conversation, in milliseconds of the epoch. */
  readonly upAt: ReadonlyMap<AgentId, number>;
  /**
   * Accepts a message as the webhook does and follows it until its reply is posted and the server is at rest again.
   * One at a time.
   */
  say(room: string, text: string): Promise<TurnTimes>;
  conversation(room: string): ConversationKey;
  /** Ends the room's process and leaves its session: the next turn is warm. */
  endProcess(room: string): Promise<void>;
  /** Resumes the room ahead of its next message, as the server does after its start. */
  rewarm(room: string): Promise<void>;
  /** Resolves when a process is parked that no conversation has claimed. */
  spareReady(): Promise<void>;
  /** Forgets the room and ends its process. */
  forget(room: string): Promise<void>;
};

const REST_EVERY_MS = 2;

export async function startTurnServer(
  bench: Bench,
  campfire: LocalCampfire,
  env: Parameters<typeof toServerEnv>[0],
): Promise<TurnServer> {
  const { config } = readConfig({ PATH: process.env.PATH, ...toServerEnv(env) }, bench.folder);
  const log = makeLog({ level: 'error', pretty: false });
  const upAt = new Map<AgentId, number>();
  const wrapStore = (store: Store): Store => ({ ...store, agents: noteStarts(store.agents, upAt) });
  const app = await makeApp(config, { log, clock: systemClock, wrapStore });
  bench.defer(app.stop);
  const chat = await learnChat(app, campfire);
  const conversation = (room: string) => toKey(chat, room);

  async function say(room: string, text: string): Promise<TurnTimes> {
    const key = conversation(room);
    const posted = campfire.nextPost(room);
    const turn = followTurn(app, key);
    const accepted = await app.parts.store.inbox.accept({
      conversation: key,
      chat,
      roomId: roomId(room),
      roomName: `Room ${room}`,
      botId: botId(BOT_ID),
      userId: userId(AUTHOR.id),
      userName: AUTHOR.name,
      messageId: null,
      text,
      receivedAt: systemClock.now(),
    });
    if (accepted.kind !== 'accepted') throw new Error('a message without an id was taken for a duplicate');
    const acceptedAt = performance.now();
    app.parts.queue.wake(key);
    const postedAt = await inTime(posted, `a reply in room ${room}`);
    const { firstTextAt, record } = await turn;
    await atRest(app);
    return { firstTextMs: firstTextAt - acceptedAt, postedMs: postedAt - acceptedAt, record };
  }

  async function gone(room: string): Promise<void> {
    const key = conversation(room);
    while ((await app.parts.agents.census()).some((agent) => agent.conversation === key))
      await systemClock.sleep(20);
    // What a process that has just ended leaves to the system is not the next one's.
    await systemClock.sleep(100);
  }

  return {
    app,
    upAt,
    say,
    conversation,
    async endProcess(room) {
      const key = conversation(room);
      const agent = (await app.parts.agents.census()).find((each) => each.conversation === key);
      if (agent !== undefined) terminate(agent.pid);
      await gone(room);
    },
    async rewarm(room) {
      const bot = app.parts.bots.get(botId(BOT_ID));
      if (bot === null) throw new Error(`there is no bot ${BOT_ID}`);
      const work = (lease: Lease) => app.parts.sessions.rewarm(lease, bot);
      if ((await app.parts.queue.runBetween(conversation(room), work)) !== true)
        throw new Error(`room ${room} was not resumed`);
    },
    async spareReady() {
      while (!(await app.parts.agents.census()).some((agent) => agent.conversation === null))
        await systemClock.sleep(20);
    },
    async forget(room) {
      await app.parts.sessions.forget(conversation(room));
      await gone(room);
    },
  };
}

function noteStarts(registry: Store['agents'], upAt: Map<AgentId, number>): Store['agents'] {
  return {
    ...registry,
    started(agent) {
      upAt.set(agent.id, performance.timeOrigin + performance.now());
      return registry.started(agent);
    },
  };
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // In stateless mode it has been told to end already, and has.
  }
}

/** The chat's name holds an id that the server made: its first message tells it. */
async function learnChat(app: App, campfire: LocalCampfire): Promise<ChatName> {
  const seen = Promise.withResolvers<ConversationKey>();
  const unsubscribe = app.turnEvents.subscribe((event) => seen.resolve(event.conversation));
  const posted = campfire.nextPost('1');
  await postWebhook(`${app.address}/webhook/${BOT_ID}`, toWebhook('1', `first-${process.pid}`, 'Hello'));
  await inTime(posted, 'the first reply');
  unsubscribe();
  const conversation = parseConversationKey(await seen.promise);
  if (conversation === null) throw new Error('a conversation key cannot be parsed');
  await atRest(app);
  return conversation.chat;
}

function toKey(chat: ChatName, room: string): ConversationKey {
  return toConversationKey({ chat, roomId: roomId(room), botId: botId(BOT_ID), userId: null });
}

/** The conversation's next turn, from its first text to its end. */
function followTurn(
  app: App,
  key: ConversationKey,
): Promise<{ readonly firstTextAt: number; readonly record: TurnRecord }> {
  let firstTextAt: number | null = null;
  const ended = new Promise<{ firstTextAt: number; record: TurnRecord }>((resolve, reject) => {
    const unsubscribe = app.turnEvents.subscribe((event: TurnEvent) => {
      if (event.conversation !== key) return;
      if (event.type === 'text.delta') firstTextAt ??= performance.now();
      if (event.type !== 'turn.finished' && event.type !== 'turn.failed') return;
      unsubscribe();
      if (event.type === 'turn.failed' || firstTextAt === null) reject(new Error(`a turn: ${event.outcome}`));
      else resolve({ firstTextAt, record: event.turn });
    });
  });
  return inTime(ended, 'a turn');
}

/** Lease released, nothing owed: the next measurement begins with nothing going on. */
async function atRest(app: App): Promise<void> {
  const { queue, store } = app.parts;
  for (;;) {
    await systemClock.sleep(REST_EVERY_MS);
    if (queue.active().length > 0) continue;
    if ((await store.outbox.counts()).owed === 0) return;
  }
}
