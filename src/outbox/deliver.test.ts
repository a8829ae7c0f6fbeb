import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeClock, makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { type MemoryOutbox, makeMemoryOutbox, replyTo } from '../../test/fixtures/memory-outbox.ts';
import { chatName } from '../base/terms.ts';
import type { Chat, SendOutcome } from '../chat/chat.ts';
import { makeLog } from '../telemetry/log.ts';
import { makeMetrics } from '../telemetry/metrics.ts';
import { makeSender, type Sender } from './sender.ts';

const CHAT = chatName('memory');
const SENT: SendOutcome = { kind: 'sent', platformId: null };

let clock: FakeClock;
let outbox: MemoryOutbox;
let sender: Sender;
let posted: string[];
/** Of every post. */
let answer: Promise<SendOutcome>;

beforeEach(async () => {
  clock = makeFakeClock();
  outbox = makeMemoryOutbox(clock);
  posted = [];
  answer = Promise.resolve(SENT);
  const chat: Chat = {
    name: CHAT,
    async send({ roomId }, markdown) {
      const outcome = await answer;
      posted.push(`${roomId} ${markdown}`);
      return outcome;
    },
    plainText: (markdown) => markdown,
    readOwn: async () => 'unreadable',
    heard: async () => ({ kind: 'unreadable' }),
    isBot: async () => null,
    isAdministrator: async () => null,
  };
  const log = makeLog({ level: 'silent', pretty: false });
  sender = makeSender({ outbox, chats: () => chat, clock, log, metrics: makeMetrics() });
  sender.start();
  await clock.advance(0);
});
afterEach(() => sender.stop());

async function owe(...texts: readonly (readonly [number, string])[]): Promise<void> {
  await outbox.add(texts.map(([room, text]) => replyTo(CHAT, room, 7, text)));
  sender.wake();
  await clock.advance(0);
}

describe('a reply that its own commit claims', () => {
  const lane = replyTo(CHAT, 1, 7, '');
  /** A commit that adds a reply and claims what the outbox gives it, where it may. */
  const commit = (text: string) => async (mayClaim: boolean) => {
    await outbox.add([replyTo(CHAT, 1, 7, text)]);
    if (!mayClaim) return null;
    const [row] = await outbox.claim(clock.now(), new Set(), 1);
    return row ?? null;
  };

  it('goes out without another claim', async () => {
    await clock.advance(0);
    await sender.deliver(lane, async (mayClaim) => {
      const row = await commit('a')(mayClaim);
      outbox.failNext('claim', 1);
      return row;
    });
    await clock.advance(0);
    expect(posted).toEqual(['1 a']);
    expect(outbox.rows()).toMatchObject([{ state: 'sent', attempts: 1 }]);
  });

  it('may not be claimed while the lane is busy, and then goes out after what is', async () => {
    const first = Promise.withResolvers<SendOutcome>();
    answer = first.promise;
    await owe([1, 'a']);
    await sender.deliver(lane, async (mayClaim) => {
      expect(mayClaim).toBe(false);
      return commit('b')(mayClaim);
    });
    first.resolve(SENT);
    await clock.advance(0);
    expect(posted).toEqual(['1 a', '1 b']);
  });

  it('keeps its lane from everybody else until its commit has ended', async () => {
    await clock.advance(0);
    const held = Promise.withResolvers<null>();
    const delivering = sender.deliver(lane, () => held.promise);
    await owe([1, 'a'], [2, 'b']);
    expect(posted).toEqual(['2 b']);
    held.resolve(null);
    await delivering;
    await clock.advance(0);
    expect(posted).toEqual(['2 b', '1 a']);
  });

  it('of a commit that fails is never sent, and the lane is free again', async () => {
    await clock.advance(0);
    await expect(sender.deliver(lane, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
    await owe([1, 'a']);
    expect(posted).toEqual(['1 a']);
  });
});
