import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeClock, makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { type MemoryOutbox, makeMemoryOutbox, replyTo } from '../../test/fixtures/memory-outbox.ts';
import { chatName } from '../base/terms.ts';
import type { Chat, OwnMessage, ReplyTarget, SendOutcome } from '../chat/chat.ts';
import { makeLog } from '../telemetry/log.ts';
import { type Metrics, makeMetrics } from '../telemetry/metrics.ts';
import { makeSender, type Sender } from './sender.ts';

const CHAT = chatName('memory');
const SENT: SendOutcome = { kind: 'sent', platformId: null };

/** A chat in memory: `answers` are given one after the other, then every post is sent. */
function makeMemoryChat() {
  const began: string[] = [];
  const posted: string[] = [];
  const answers: (() => Promise<SendOutcome>)[] = [];
  let own: readonly OwnMessage[] | 'unreadable' | 'unreachable' = [];
  const chat: Chat = {
    name: CHAT,
    async send(target: ReplyTarget, markdown: string) {
      began.push(`${target.roomId}/${target.botId} ${markdown}`);
      const answer = answers.shift();
      const outcome =
        answer === undefined ? { ...SENT, platformId: String(posted.length + 1) } : await answer();
      if (outcome.kind === 'sent') posted.push(`${target.roomId}/${target.botId} ${markdown}`);
      return outcome;
    },
    plainText: (markdown) => markdown,
    readOwn: async () => own,
    heard: async () => ({ kind: 'unreadable' }),
    isBot: async () => null,
    isAdministrator: async () => null,
  };
  return {
    chat,
    /** Sends begun, and posts that the chat took, as `room/bot text`. */
    began,
    posted,
    answer: (...next: readonly SendOutcome[]) => answers.push(...next.map((outcome) => async () => outcome)),
    answerBy: (next: () => Promise<SendOutcome>) => answers.push(next),
    showOwn(messages: typeof own) {
      own = messages;
    },
  };
}

let clock: FakeClock;
let outbox: MemoryOutbox;
let room: ReturnType<typeof makeMemoryChat>;
let metrics: Metrics;
let sender: Sender;

function start(left: Parameters<typeof makeMemoryOutbox>[1] = []): void {
  outbox = makeMemoryOutbox(clock, left);
  sender = makeSender({
    outbox,
    chats: (name) => (name === CHAT ? room.chat : null),
    clock,
    log: makeLog({ level: 'silent', pretty: false }),
    metrics,
  });
  sender.start();
}

async function owe(...texts: readonly (readonly [number, number, string])[]): Promise<void> {
  await outbox.add(texts.map(([roomId, bot, text]) => replyTo(CHAT, roomId, bot, text)));
  sender.wake();
  await clock.advance(0);
}

function states(): readonly string[] {
  return outbox.rows().map(({ state, reason }) => (reason === null ? state : `${state}: ${reason}`));
}

beforeEach(() => {
  clock = makeFakeClock();
  room = makeMemoryChat();
  metrics = makeMetrics();
  start();
});
afterEach(async () => {
  await sender.stop();
  expect(clock.pending()).toBe(0);
});

describe('a reply that is owed', () => {
  it('goes out as soon as the sender is woken', async () => {
    await owe([1, 1, 'hello']);
    expect(room.posted).toEqual(['1/1 hello']);
    expect(outbox.rows()[0]).toMatchObject({ state: 'sent', platformId: '1', attempts: 1 });
  });

  it('goes out within a second when nobody woke the sender', async () => {
    await outbox.add([replyTo(CHAT, 1, 1, 'hello')]);
    await clock.advance(1_000);
    expect(room.posted).toEqual(['1/1 hello']);
  });

  it('goes out at the start when an earlier run left it', async () => {
    await sender.stop();
    start([{ markdown: 'left' }]);
    await clock.advance(0);
    expect(room.posted).toEqual(['1/1 left']);
  });

  it('of a chat that is not here waits, and is buried after a day', async () => {
    await outbox.add([replyTo(chatName('campfire:gone'), 1, 1, 'hello')]);
    sender.wake();
    await clock.advance(23 * 3_600_000);
    expect(states()).toEqual(['owed: no such chat here']);
    await clock.advance(2 * 3_600_000);
    expect(states()).toEqual(['buried: too_old']);
  });

  it('is buried with the reason when the chat refuses it', async () => {
    room.answer({ kind: 'refused', reason: 'room_gone', detail: 'status_404' });
    await owe([1, 1, 'hello']);
    expect(states()).toEqual(['buried: room_gone']);
  });

  it('is tried for a day while its chat is down, less and less often, and goes out when that is back', async () => {
    for (let at = 0; at < 300; at += 1) room.answer({ kind: 'retry', reason: 'ECONNREFUSED' });
    await owe([1, 1, 'hello']);
    await clock.advance(12 * 3_600_000);
    expect(states()).toEqual(['owed: ECONNREFUSED']);
    expect(room.began.length).toBeLessThan(300);
    expect(room.began.length).toBeGreaterThan(100);
    for (let at = 0; at < 300; at += 1) room.answer({ kind: 'retry', reason: 'ECONNREFUSED' });
    await clock.advance(13 * 3_600_000);
    expect(states()).toEqual(['buried: too_old']);
  });

  it('waits as long as the chat asks', async () => {
    room.answer({ kind: 'retry', reason: 'status_429', afterMs: 60_000 });
    await owe([1, 1, 'hello']);
    await clock.advance(59_000);
    expect(room.posted).toEqual([]);
    await clock.advance(2_000);
    expect(room.posted).toEqual(['1/1 hello']);
  });
});

describe('the order of a lane', () => {
  it('is the order of its rows, one at a time', async () => {
    const { promise, resolve } = Promise.withResolvers<SendOutcome>();
    room.answerBy(() => promise);
    await owe([1, 1, 'one'], [1, 1, 'two'], [1, 1, 'three']);
    await clock.advance(5_000);
    expect(room.began).toEqual(['1/1 one']);
    resolve(SENT);
    await clock.advance(0);
    expect(room.posted).toEqual(['1/1 one', '1/1 two', '1/1 three']);
  });

  it('is kept over a back-off and over a send that is unknown', async () => {
    room.answer({ kind: 'retry', reason: 'x' }, { kind: 'unknown', reason: 'timeout' });
    await owe([1, 1, 'one'], [1, 1, 'two']);
    await clock.advance(60_000);
    expect(room.posted).toEqual(['1/1 one', '1/1 two']);
    expect(room.began).toEqual(['1/1 one', '1/1 one', '1/1 one', '1/1 two']);
  });

  it('goes on after a row that is buried', async () => {
    room.answer({ kind: 'refused', reason: 'rejected', detail: 'x' });
    await owe([1, 1, 'one'], [1, 1, 'two']);
    expect(states()).toEqual(['buried: rejected', 'sent']);
  });

  it('does not hold up another room, nor another bot in the same one', async () => {
    const { promise, resolve } = Promise.withResolvers<SendOutcome>();
    room.answerBy(() => promise);
    await owe([1, 1, 'hangs'], [1, 2, 'other bot'], [2, 1, 'other room']);
    expect(room.posted).toEqual(['1/2 other bot', '2/1 other room']);
    room.answer({ kind: 'retry', reason: 'x' });
    await owe([3, 1, 'backs off'], [4, 1, 'goes']);
    expect(room.posted).toContain('4/1 goes');
    resolve(SENT);
  });

  it('holds for a hundred rooms, a bounded number of them at once', async () => {
    let atOnce = 0;
    let most = 0;
    for (let at = 0; at < 200; at += 1) {
      room.answerBy(async () => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await clock.sleep(10);
        atOnce -= 1;
        return SENT;
      });
    }
    await owe(...Array.from({ length: 200 }, (_, at) => [at % 100, 1, String(at)] as const));
    await clock.advance(5_000);
    expect(room.posted).toHaveLength(200);
    expect(most).toBe(16);
    for (const lane of Array.from({ length: 100 }, (_, at) => at)) {
      expect(room.posted.filter((post) => post.startsWith(`${lane}/`))).toEqual([
        `${lane}/1 ${lane}`,
        `${lane}/1 ${lane + 100}`,
      ]);
    }
  });
});

describe('a send whose outcome is unknown', () => {
  beforeEach(() => {
    room.answer({ kind: 'unknown', reason: 'ECONNRESET' });
  });

  it('is looked for after ten seconds, and is sent when it stands there', async () => {
    room.showOwn([{ platformId: '77', plainText: 'Hello, world!' }]);
    await owe([1, 1, 'hello world']);
    await clock.advance(9_000);
    expect(states()).toEqual(['unknown: ECONNRESET']);
    await clock.advance(2_000);
    expect(outbox.rows()[0]).toMatchObject({
      state: 'sent',
      platformId: '77',
      attempts: 1,
      mayBeDouble: false,
    });
    expect(room.began).toHaveLength(1);
  });

  it('is sent again when it does not', async () => {
    await owe([1, 1, 'hello']);
    await clock.advance(11_000);
    expect(outbox.rows()[0]).toMatchObject({ state: 'sent', attempts: 2, mayBeDouble: false });
  });

  it('is not taken for an earlier post of the same words', async () => {
    room = makeMemoryChat();
    await sender.stop();
    start();
    await owe([1, 1, 'Done.']);
    room.answer({ kind: 'unknown', reason: 'timeout' });
    room.showOwn([{ platformId: '1', plainText: 'Done.' }]);
    await owe([1, 1, 'Done.']);
    await clock.advance(11_000);
    expect(room.posted).toEqual(['1/1 Done.', '1/1 Done.']);
  });

  it('is sent once more where nothing can be read, marked and counted, and never a third time', async () => {
    room.answer({ kind: 'unknown', reason: 'ECONNRESET' });
    room.showOwn('unreadable');
    await owe([1, 1, 'hello'], [1, 1, 'next']);
    await clock.advance(31_000);
    expect(outbox.rows()[0]).toMatchObject({ attempts: 2, mayBeDouble: true });
    expect((await metrics.mayBeDouble.get()).values[0]?.value).toBe(1);
    await clock.advance(60_000);
    expect(states()).toEqual(['buried: unconfirmed', 'sent']);
    expect(room.began).toEqual(['1/1 hello', '1/1 hello', '1/1 next']);
  });

  it('is not sent again while the platform does not answer', async () => {
    room.showOwn('unreachable');
    await owe([1, 1, 'hello']);
    await clock.advance(3_600_000);
    expect(room.began).toHaveLength(1);
    room.showOwn([{ platformId: '5', plainText: 'hello' }]);
    await clock.advance(600_000);
    expect(outbox.rows()[0]).toMatchObject({ state: 'sent', platformId: '5', attempts: 1 });
  });

  it('is one that a dead process had begun', async () => {
    await sender.stop();
    room = makeMemoryChat();
    room.showOwn([{ platformId: '3', plainText: 'left' }]);
    start([{ markdown: 'left', state: 'sending', attempts: 1, sendingAt: clock.now() - 2_000 }]);
    await clock.advance(7_000);
    expect(states()).toEqual(['unknown: interrupted']);
    await clock.advance(2_000);
    expect(outbox.rows()[0]).toMatchObject({ state: 'sent', platformId: '3' });
    expect(room.began).toEqual([]);
  });

  it('is one of a chat that throws', async () => {
    room = makeMemoryChat();
    await sender.stop();
    start();
    room.answerBy(() => Promise.reject(new Error('request to http://chat/rooms/1/3-KEY/messages failed')));
    await owe([1, 1, 'hello']);
    expect(states()).toEqual(['unknown: threw']);
    await clock.advance(11_000);
    expect(room.posted).toEqual(['1/1 hello']);
  });
});

describe('a database that fails', () => {
  it('while claiming delays the reply until the next look', async () => {
    outbox.failNext('claim', 1);
    await owe([1, 1, 'hello']);
    expect(room.began).toEqual([]);
    await clock.advance(1_000);
    expect(room.posted).toEqual(['1/1 hello']);
  });

  it('while recording keeps the lane waiting, and the post is not repeated', async () => {
    outbox.failNext('finish', 10);
    await owe([1, 1, 'one'], [1, 1, 'two']);
    await clock.advance(5_000);
    expect(room.posted).toEqual(['1/1 one']);
    await clock.advance(60_000);
    expect(room.posted).toEqual(['1/1 one', '1/1 two']);
    expect(states()).toEqual(['sent', 'sent']);
  });
});

describe('draining', () => {
  it('sends what is due and takes nothing new after it', async () => {
    await outbox.add([replyTo(CHAT, 1, 1, 'one'), replyTo(CHAT, 1, 1, 'two')]);
    await sender.drain(1_000);
    expect(room.posted).toEqual(['1/1 one', '1/1 two']);
    await owe([1, 1, 'late']);
    await clock.advance(10_000);
    expect(room.posted).toHaveLength(2);
  });

  it('ends at its limit and leaves what hangs to the next start', async () => {
    const { promise, resolve } = Promise.withResolvers<SendOutcome>();
    room.answerBy(() => promise);
    await owe([1, 1, 'hangs'], [1, 1, 'waits']);
    const drained = sender.drain(2_000);
    await clock.advance(2_000);
    await drained;
    expect(outbox.rows().map(({ state }) => state)).toEqual(['sending', 'owed']);
    resolve(SENT);
    await sender.stop();
    expect(outbox.rows().map(({ state }) => state)).toEqual(['sent', 'owed']);
  });
});

it('nothing that a log line of the sender holds is an address', async () => {
  const lines: string[] = [];
  await sender.stop();
  const note = (facts: unknown) => void lines.push(JSON.stringify(facts));
  outbox = makeMemoryOutbox(clock);
  sender = makeSender({
    outbox,
    chats: () => room.chat,
    clock,
    log: { debug: note, info: note, warn: note, error: note, fatal: note },
    metrics,
  });
  room.answerBy(() =>
    Promise.reject(new Error('POST http://chat.example.com/rooms/1/3-KEY/messages failed')),
  );
  await owe([1, 1, 'secret words']);
  expect(lines.join()).toContain('[address]');
  expect(lines.join()).not.toMatch(/3-KEY|example\.com|secret words/);
});
