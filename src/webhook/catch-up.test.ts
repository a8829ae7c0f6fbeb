import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeClock, makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { makeBot } from '../../test/fixtures/front-doors.ts';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { botId, chatName, roomId, userId } from '../base/terms.ts';
import type { Heard, HeardMessage, HeardQuestion } from '../chat/chat.ts';
import type { IncomingMessage } from '../inbox/inbox.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { makeStore, type Store } from '../store/store.ts';
import { makeLog } from '../telemetry/log.ts';
import { type Metrics, makeMetrics } from '../telemetry/metrics.ts';
import { type CatchUp, makeCatchUp } from './catch-up.ts';
import { toIncoming } from './incoming.ts';

const CHAT = chatName('campfire:test');
const BENDER = makeBot({ id: botId('bender') });
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let clock: FakeClock;
let store: Store;
let metrics: Metrics;
let catchUp: CatchUp;
let said: HeardMessage[];
let answer: (question: HeardQuestion) => Promise<Heard>;
let asked: HeardQuestion[];
let woken: string[];
let refuse: Error | null;

beforeEach(async () => {
  clock = makeFakeClock();
  metrics = makeMetrics();
  const database = await openSqlite(join(makeTempFolder(), 'store.sqlite'), clock);
  store = makeStore(database, clock, { holder: 'test', leaseMs: 1_000 });
  said = [];
  asked = [];
  woken = [];
  refuse = null;
  answer = async () => ({ kind: 'read', messages: said, isWhole: true });
  catchUp = make();
});
afterEach(async () => {
  catchUp.close();
  expect(clock.pending()).toBe(0);
  await store.close();
});

function make(overrides: { readonly catchUpMs?: number; readonly firstSeenAt?: number } = {}): CatchUp {
  return makeCatchUp({
    chat: {
      name: CHAT,
      async heard(question) {
        asked.push(question);
        return answer(question);
      },
    },
    bots: { all: () => [BENDER] },
    botRooms: store.botRooms,
    known: store.inbox.known,
    accept: async (message) => {
      if (refuse !== null) throw refuse;
      return store.inbox.accept(message);
    },
    wake: (conversation) => void woken.push(conversation),
    firstSeen: async () => overrides.firstSeenAt ?? 0,
    catchUpMs: overrides.catchUpMs ?? 6 * HOUR,
    clock,
    log: makeLog({ level: 'silent', pretty: false }),
    metrics,
  });
}

function say(id: number, facts: Partial<HeardMessage> = {}): HeardMessage {
  const message: HeardMessage = {
    messageId: String(id),
    roomId: roomId(2),
    roomName: 'HQ',
    userId: userId(7),
    userName: 'Kevin',
    plain: `message ${id}`,
    mentions: 0,
    sentAt: clock.now() - HOUR,
    ...facts,
  };
  said.push(message);
  return message;
}

/** The same message as its webhook brings it. */
function fromWebhook({ plain, mentions, sentAt, ...message }: HeardMessage, text = plain): IncomingMessage {
  return toIncoming(CHAT, BENDER, { ...message, text, receivedAt: clock.now() });
}

/** Timers are let run; nothing else passes. */
async function settle(): Promise<void> {
  await clock.advance(0);
  await clock.advance(0);
}

describe('catch-up', () => {
  it('accepts what was missed, as late, once, and wakes its conversation', async () => {
    const { sentAt } = say(1, { plain: 'please  do', mentions: 1 });
    catchUp.start();
    await settle();
    expect(await store.inbox.peek(fromWebhook(said[0]!).conversation)).toMatchObject({
      text: 'please do',
      roomName: 'HQ',
      userName: 'Kevin',
      sentAt,
      acceptedAt: clock.now(),
    });
    expect(woken).toEqual(['campfire:test:2:bender']);
    await clock.advance(25 * MINUTE);
    expect(asked).toHaveLength(3);
    expect((await store.inbox.counts()).total).toBe(1);
    expect(woken).toHaveLength(1);
    const late = await metrics.lateMessages.get();
    expect(late.values).toMatchObject([{ labels: { outcome: 'accepted' }, value: 1 }]);
  });

  it('looks again every ten minutes, and a minute after it could not read everything', async () => {
    catchUp.start();
    await clock.advance(10 * MINUTE - 1);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(asked).toHaveLength(2);
    answer = async () => ({ kind: 'read', messages: [say(1)], isWhole: false });
    await clock.advance(10 * MINUTE);
    expect(asked).toHaveLength(3);
    await clock.advance(MINUTE);
    expect(asked).toHaveLength(4);
    expect((await store.inbox.counts()).total).toBe(1);
  });

  it('looks again soon after a message could not be stored', async () => {
    catchUp.start();
    await clock.advance(MINUTE);
    say(1);
    catchUp.refused();
    await clock.advance(4_999);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    await settle();
    expect((await store.inbox.counts()).total).toBe(1);
  });

  it('takes nothing for new that its webhook brought, whatever became of it and however it reads now', async () => {
    const message = say(1);
    await store.inbox.accept(fromWebhook(message, 'as it was before it was edited'));
    catchUp.start();
    await settle();
    expect((await store.inbox.counts()).total).toBe(1);
    expect(woken).toEqual([]);
  });

  it('and a webhook at once accept a message once', async () => {
    const messages = Array.from({ length: 20 }, (_, n) => say(n + 1));
    const gate = Promise.withResolvers<void>();
    answer = async () => {
      await gate.promise;
      return { kind: 'read', messages: said, isWhole: true };
    };
    catchUp.start();
    await settle();
    const webhooks = messages.map((message, n) =>
      store.inbox.accept(
        fromWebhook(message, n % 2 === 0 ? message.plain : `${message.plain}, read otherwise`),
      ),
    );
    gate.resolve();
    await Promise.all(webhooks);
    await settle();
    expect((await store.inbox.counts()).total).toBe(20);
  });

  it('looks back no further than it may, and never before the bot was known', async () => {
    say(1, { sentAt: clock.now() - 7 * HOUR });
    say(2, { sentAt: clock.now() - 2 * HOUR });
    say(3, { sentAt: clock.now() - HOUR });
    catchUp = make({ firstSeenAt: clock.now() - HOUR });
    catchUp.start();
    await settle();
    expect(asked[0]?.since).toBe(clock.now() - HOUR);
    const [first] = await store.inbox.due(clock.now(), 10);
    expect((await store.inbox.counts()).total).toBe(1);
    expect(first === undefined ? null : await store.inbox.peek(first)).toMatchObject({ messageId: '3' });
  });

  it('names the rooms that the bot was heard in', async () => {
    await store.botRooms.note(CHAT, BENDER.id, { roomId: roomId(4), roomName: null });
    catchUp.start();
    await settle();
    expect(asked[0]?.rooms).toEqual([{ roomId: '4', roomName: null }]);
  });

  it('tries again in a minute when nothing can be stored', async () => {
    say(1);
    refuse = new Error('disk full');
    catchUp.start();
    await clock.advance(59_000);
    expect((await store.inbox.counts()).total).toBe(0);
    refuse = null;
    await clock.advance(MINUTE);
    expect((await store.inbox.counts()).total).toBe(1);
  });

  it('says whose missed messages are lost, for as long as they are', async () => {
    answer = async () => ({ kind: 'unreadable' });
    catchUp.start();
    await settle();
    expect(catchUp.problems()).toMatchObject([
      { severity: 'warning', field: 'CAMPFIRE_DB_PATH', reason: expect.stringContaining('bender') },
    ]);
    answer = async () => ({ kind: 'read', messages: [], isWhole: true });
    await clock.advance(10 * MINUTE);
    expect(catchUp.problems()).toEqual([]);
  });

  it('is off with CATCH_UP_HOURS=0', async () => {
    catchUp = make({ catchUpMs: 0 });
    catchUp.start();
    catchUp.refused();
    await clock.advance(HOUR);
    expect(asked).toEqual([]);
  });

  it('runs one round at a time and takes nothing after it was closed', async () => {
    const gate = Promise.withResolvers<void>();
    say(1);
    answer = async () => {
      await gate.promise;
      return { kind: 'read', messages: said, isWhole: true };
    };
    catchUp.start();
    await settle();
    catchUp.refused();
    await clock.advance(HOUR);
    expect(asked).toHaveLength(1);
    catchUp.close();
    gate.resolve();
    await settle();
    expect((await store.inbox.counts()).total).toBe(0);
  });
});
