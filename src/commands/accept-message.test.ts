import { describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { makeBot, makeMemoryBots } from '../../test/fixtures/front-doors.ts';
import { BUILTIN_CHAT, botId, type ConversationKey, type InboxId, roomId, userId } from '../base/terms.ts';
import type { Bot } from '../bots/bots.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import { makeAcceptMessage } from './accept-message.ts';
import type { Arrivals, ConversationStatus } from './commands.ts';

const lobby = 'builtin:lobby:bender' as ConversationKey;
const JANE = userId('jane');
const BOB = userId('bob');

/** Everything around the front door in memory; `done` tells what was done, in order. */
function makeDoor(bot: Partial<Bot> = {}) {
  const clock = makeFakeClock();
  const done: string[] = [];
  const stored = new Set<string>();
  const facts = {
    lastAuthor: JANE as typeof JANE | null,
    waiting: 0,
    running: false,
    bots: new Set<string>(),
    ours: new Set<string>(),
    administrators: new Set<string>(),
    chatIsSilent: false,
    slow: false,
    model: null as string | null,
    session: null as ConversationStatus['session'],
  };
  const silence = new Promise<never>(() => {});
  const outcome = (kind: Exclude<AcceptOutcome['kind'], 'duplicate'>): AcceptOutcome => ({
    kind,
    id: done.length as InboxId,
    idReused: false,
  });
  const store = (message: IncomingMessage, kind: Exclude<AcceptOutcome['kind'], 'duplicate'>) => {
    stored.add(`${message.messageId}`);
    done.push(kind);
    return outcome(kind);
  };
  const arrivals: Arrivals = {
    accept: async (message) => store(message, 'accepted'),
    ignore: async (message) => store(message, 'ignored'),
    async acceptUnlessBusy(message, notice) {
      if (facts.running) done.push(`says ${notice.kind}: ${notice.markdown.slice(0, 30)}`);
      return store(message, facts.running ? 'rejected' : 'accepted');
    },
    async acceptAnswered(message, { dropWaiting, answer }) {
      const reply = answer(dropWaiting ? facts.waiting : 0);
      done.push(`says ${reply.kind}: ${reply.markdown}`);
      return store(message, 'answered');
    },
    isStored: async ({ messageId }) => stored.has(`${messageId}`),
    lastAuthor: async () => facts.lastAuthor,
  };
  const accept = makeAcceptMessage({
    arrivals,
    bots: makeMemoryBots([makeBot({ model: 'usual', ...bot })]),
    clock,
    timeZone: 'UTC',
    ledger: { spent: async () => 0.5 },
    isOurs: (user) => facts.ours.has(user),
    isBot: async ({ userId: user }) => (facts.chatIsSilent ? silence : facts.bots.has(user)),
    isAdministrator: async ({ userId: user }) =>
      facts.chatIsSilent ? silence : facts.administrators.has(user),
    owed: () => void done.push('owed'),
    steering: {
      async reset() {
        done.push('reset');
        if (facts.slow) await silence;
      },
      async interrupt() {
        done.push('interrupt');
        if (facts.slow) await silence;
        return facts.running ? 'ended' : 'not-running';
      },
      hold() {
        done.push('hold');
        return () => void done.push('release');
      },
      status: async () => ({
        runningSince: facts.running ? clock.now() - 5_000 : null,
        waiting: facts.waiting,
        isLive: true,
        session: facts.session,
        model: facts.model,
      }),
      async compact() {
        done.push('compact');
        return facts.session === null ? 'nothing' : 'started';
      },
      async setModel(_conversation, model) {
        done.push(`model ${model}`);
      },
    },
  });
  let ids = 0;

  return {
    clock,
    done,
    facts,
    async say(text: string, more: Partial<IncomingMessage> = {}): Promise<AcceptOutcome> {
      ids += 1;
      const answer = accept({
        conversation: lobby,
        chat: BUILTIN_CHAT,
        roomId: roomId('lobby'),
        roomName: null,
        botId: botId('bender'),
        userId: JANE,
        userName: 'Jane',
        messageId: `${ids}`,
        text,
        receivedAt: clock.now(),
        ...more,
      });
      await clock.advance(0);
      return answer;
    },
  };
}

describe('a message', () => {
  it('waits for its turn', async () => {
    const { say, done } = makeDoor();
    expect(await say('hello')).toMatchObject({ kind: 'accepted' });
    expect(await say('/dance')).toMatchObject({ kind: 'accepted' });
    expect(done).toEqual(['accepted', 'accepted']);
  });

  it('of a bot of ours is ignored, a command among them', async () => {
    const { say, done, facts } = makeDoor();
    facts.ours.add('bob');
    expect(await say('/stop', { userId: BOB })).toMatchObject({ kind: 'ignored' });
    expect(done).toEqual(['ignored']);
  });

  it('is turned away, with a word, where a turn runs and the bot says so', async () => {
    const { say, done, facts } = makeDoor({ doubleTexting: 'reject' });
    expect(await say('one')).toMatchObject({ kind: 'accepted' });
    facts.running = true;
    expect(await say('two')).toMatchObject({ kind: 'rejected' });
    expect(done).toEqual(['accepted', expect.stringMatching(/^says busy: .*still busy/), 'rejected', 'owed']);
  });

  it('of another bot is not told that it was turned away, which it would answer', async () => {
    const { say, done, facts } = makeDoor({ doubleTexting: 'reject' });
    facts.running = true;
    facts.bots.add(BOB);
    expect(await say('one', { userId: BOB })).toMatchObject({ kind: 'accepted' });
    expect(done).toEqual(['accepted']);
  });
});

describe('a command', () => {
  it('is not the model’s: it is done, then stored with its answer', async () => {
    const { say, done } = makeDoor();
    expect(await say('/reset')).toMatchObject({ kind: 'answered' });
    expect(done).toEqual(['reset', expect.stringMatching(/^says command: .*forgotten/), 'answered', 'owed']);
  });

  it('that comes again does nothing', async () => {
    const { say, done } = makeDoor();
    await say('/reset', { messageId: '41' });
    done.splice(0);
    expect(await say('/reset', { messageId: '41' })).toEqual({ kind: 'duplicate' });
    expect(done).toEqual([]);
  });

  it('of another platform’s bot is a message like others', async () => {
    const { say, done, facts } = makeDoor();
    facts.bots.add('jane');
    expect(await say('/stop')).toMatchObject({ kind: 'accepted' });
    expect(done).toEqual(['accepted']);
  });

  it('that was given while the server was away is not done, and says so', async () => {
    const { say, done } = makeDoor();
    expect(await say('/reset', { sentAt: 1 })).toMatchObject({ kind: 'answered' });
    expect(done[0]).toMatch(/I was away when you wrote `\/reset`/);
  });

  it('that its giver may not give is refused in words and not done', async () => {
    const { say, done } = makeDoor();
    expect(await say('/reset', { userId: BOB })).toMatchObject({ kind: 'answered' });
    expect(done[0]).toMatch(/`\/reset` is only for whoever I answered last and administrators/);
    expect(done).not.toContain('reset');
  });

  it('of an administrator is done', async () => {
    const { say, done, facts } = makeDoor();
    facts.administrators.add('bob');
    await say('/reset', { userId: BOB });
    expect(done).toContain('reset');
  });

  it('does not wait for ever for what the chat says of people', async () => {
    const { say, done, facts, clock } = makeDoor();
    facts.chatIsSilent = true;
    const outcome = say('/reset', { userId: BOB });
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(await outcome).toMatchObject({ kind: 'answered' });
    expect(done[0]).toMatch(/only for/);
  });
});

describe('/stop', () => {
  it('ends the turn, drops what waits, and lets nothing begin until both are told', async () => {
    const { say, done, facts } = makeDoor();
    Object.assign(facts, { running: true, waiting: 2 });
    await say('/stop', { userId: BOB });
    expect(done).toEqual([
      'hold',
      'interrupt',
      'says command: ⏹️ Stopped. 2 messages that waited are dropped too.',
      'answered',
      'owed',
      'release',
    ]);
  });

  it.each([
    [false, 0, 'There is nothing to stop.'],
    [false, 1, '⏹️ Stopped. 1 message that waited is dropped too.'],
    [true, 0, '⏹️ Stopped.'],
  ])('with a turn (%s) and %i waiting says %j', async (running, waiting, words) => {
    const { say, done, facts } = makeDoor();
    Object.assign(facts, { running, waiting });
    await say('/stop');
    expect(done[2]).toBe(`says command: ${words}`);
  });

  it('says that it takes a moment when the turn does not end at once', async () => {
    const { say, done, facts, clock } = makeDoor();
    Object.assign(facts, { running: true, slow: true });
    const outcome = say('/stop');
    await clock.advance(1_000);
    await outcome;
    expect(done[2]).toMatch(/I am stopping; it takes a moment/);
    expect(done.at(-1)).toBe('release');
  });
});

describe('/reset', () => {
  it('goes on by itself when it takes long', async () => {
    const { say, done, facts, clock } = makeDoor();
    facts.slow = true;
    const outcome = say('/reset');
    await clock.advance(1_500);
    expect(await outcome).toMatchObject({ kind: 'answered' });
    expect(done[1]).toMatch(/I am forgetting/);
  });
});

describe('/status', () => {
  it('tells of the conversation and of who asks', async () => {
    const { say, done, facts, clock } = makeDoor({ maxUserDayCostUsd: 2 });
    Object.assign(facts, {
      running: true,
      waiting: 1,
      session: { turnCount: 3, createdAt: clock.now() - 120_000, costUsd: 0.02 },
    });
    await say('/status', { userId: BOB });
    expect(done[0]).toBe(
      [
        'says command: - Model: `usual`',
        '- Now: I have been answering for 5 seconds, 1 message waits',
        '- Memory: 3 answers in 2 minutes, ready at once',
        '- Cost: $0.0200 in this conversation, $0.50 of $2.00 by you today',
      ].join('\n'),
    );
  });
});

describe('/compact', () => {
  it('starts, or says that there is nothing to do', async () => {
    const { say, done, facts, clock } = makeDoor();
    await say('/compact');
    expect(done[1]).toMatch(/nothing to shorten/);
    facts.session = { turnCount: 1, createdAt: clock.now(), costUsd: 0 };
    await say('/compact');
    expect(done.at(-3)).toMatch(/I am shortening/);
  });
});

describe('/model', () => {
  const models = { models: ['large', 'small'] };

  it.each<[string, Partial<Bot>, string | null, string, string | null]>([
    ['/model', {}, null, 'I use `usual`.', null],
    ['/model', { model: undefined }, null, 'I use the default model.', null],
    ['/model', models, null, 'I use `usual`. `/model NAME` changes', null],
    ['/model', models, 'small', 'I use `small`.', null],
    ['/model small', models, null, 'From the next message on I use `small`', 'model small'],
    ['/model usual', models, 'small', 'From the next message on I use `usual`', 'model null'],
    ['/model huge', models, null, 'I cannot use that model. There are: `usual`, `large`, `small`.', null],
    ['/model small', {}, null, 'I have no other model', null],
  ])('%s', async (text, bot, chosen, words, change) => {
    const { say, done, facts } = makeDoor(bot);
    facts.model = chosen;
    await say(text);
    expect(done.find((one) => one.startsWith('says'))).toContain(words);
    expect(done.find((one) => one.startsWith('model')) ?? null).toBe(change);
  });
});
