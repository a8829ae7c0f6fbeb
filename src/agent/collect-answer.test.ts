import { describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { makeMemoryAgent } from '../../test/fixtures/memory-agent.ts';
import { newEntryId } from '../base/ids.ts';
import type { Fence } from '../base/terms.ts';
import type { AgentEvent } from './agent.ts';
import { type AnswerLimits, type CollectedAnswer, collectAnswer } from './collect-answer.ts';

const SECOND = 1_000;
const limits: AnswerLimits = { turnTimeoutMs: 180 * SECOND, stuckAfterMs: 90 * SECOND, graceMs: 10 * SECOND };

/** A turn that has just been sent. */
function begin(
  given: {
    limits?: Partial<AnswerLimits>;
    onInterrupt?: 'ends' | 'ignored' | 'throws';
    gone?: Promise<void>;
    abortedBefore?: string;
  } = {},
) {
  const clock = makeFakeClock(0);
  const agent = makeMemoryAgent({
    onInterrupt: given.onInterrupt ?? 'ends',
    ...(given.gone === undefined ? {} : { gone: given.gone }),
  });
  const abort = new AbortController();
  if (given.abortedBefore !== undefined) abort.abort(given.abortedBefore);
  const heard: AgentEvent[] = [];
  const prompt = { text: 'hello', id: newEntryId(), fence: 1 as Fence };
  const ended: CollectedAnswer<string>[] = [];
  const answer = collectAnswer(
    agent,
    prompt,
    { ...limits, ...given.limits },
    { clock, signal: abort.signal, onEvent: (event) => heard.push(event) },
  ).then((collected) => {
    ended.push(collected);
    return collected;
  });
  return { clock, agent, abort, heard, prompt, answer, ended };
}

const text = (said: string): AgentEvent & { kind: 'text-delta' } => ({ kind: 'text-delta', text: said });
const toolStarted = (toolUseId: string) => ({ kind: 'tool-started', toolUseId, name: 'Read' }) as const;
const toolFinished = (toolUseId: string) => ({ kind: 'tool-finished', toolUseId, failed: false }) as const;

describe('a turn that nobody cuts short', () => {
  it('ends as its ended event says, with the time of its first text', async () => {
    const { clock, agent, answer, prompt, heard } = begin();
    await clock.advance(2 * SECOND);
    agent.emit(toolStarted('a'));
    agent.emit(toolFinished('a'));
    await clock.advance(3 * SECOND);
    agent.emit(text('Hel'));
    await clock.advance(SECOND);
    agent.emit(text('lo.'));
    const lastEntry = newEntryId();
    agent.end({ kind: 'answered', text: 'Hello.' }, { lastEntry });

    expect(await answer).toMatchObject({
      kind: 'ended',
      end: { kind: 'answered', text: 'Hello.' },
      lastEntry,
      interruption: 'none',
      sentAt: 0,
      firstTextAt: 5 * SECOND,
      memoryAtRisk: false,
    });
    expect(agent.sent).toEqual([prompt]);
    expect(heard.map((event) => event.kind)).toEqual([
      'tool-started',
      'tool-finished',
      'text-delta',
      'text-delta',
    ]);
    expect(agent.interrupts + agent.closes).toBe(0);
    expect(clock.pending()).toBe(0);
  });

  it('has no time of a first text when there was none', async () => {
    const { agent, answer, clock } = begin();
    await clock.advance(0);
    agent.end({ kind: 'answered', text: '' });
    expect((await answer).firstTextAt).toBeNull();
  });

  it('says that its memory is at risk when the agent said so', async () => {
    const { agent, answer, clock } = begin();
    await clock.advance(0);
    agent.emit({ kind: 'memory-at-risk', detail: 'an append was refused' });
    agent.end({ kind: 'answered', text: 'Hello.' });
    expect((await answer).memoryAtRisk).toBe(true);
  });

  it('ends as died when its process does', async () => {
    const { agent, answer, clock } = begin();
    await clock.advance(SECOND);
    agent.die();
    expect(await answer).toMatchObject({ end: { kind: 'died' }, interruption: 'none', lastEntry: null });
    expect(clock.pending()).toBe(0);
  });
});

describe('a turn over its limit', () => {
  it('is interrupted, not before', async () => {
    const { agent, answer, clock, ended } = begin();
    for (const _ of [1, 2]) {
      await clock.advance(89 * SECOND);
      agent.emit(text('still here '));
    }
    await clock.advance(2 * SECOND - 1);
    expect(agent.interrupts).toBe(0);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(await answer).toMatchObject({ interruption: 'turn-timeout', end: { kind: 'interrupted' } });
    expect(agent.interrupts).toBe(1);
    expect(agent.closes).toBe(0);
    expect(clock.pending()).toBe(0);
  });

  it('is interrupted while a tool runs', async () => {
    const { agent, answer, clock } = begin();
    await clock.advance(0);
    agent.emit(toolStarted('a'));
    await clock.advance(180 * SECOND);
    expect((await answer).interruption).toBe('turn-timeout');
  });

  it('loses its family when it goes on after the grace, and not before', async () => {
    const { agent, answer, clock } = begin({ onInterrupt: 'ignored' });
    await clock.advance(0);
    agent.emit(toolStarted('a'));
    await clock.advance(180 * SECOND);
    agent.emit(text('I do not listen'));
    await clock.advance(10 * SECOND - 1);
    // At once, and 0.5, 1.5, 3.5 and 7.5 seconds later.
    expect(agent.interrupts).toBe(5);
    expect(agent.closes).toBe(0);
    await clock.advance(1);
    expect(agent.closes).toBe(1);
    expect(await answer).toMatchObject({ interruption: 'turn-timeout', end: { kind: 'died' } });
    expect(clock.pending()).toBe(0);
  });

  it.each(['ignored', 'throws'] as const)(
    'ends though its family outlives KILL, an interrupt being %s',
    async (onInterrupt) => {
      const gone = Promise.reject(new Error('it outlived KILL'));
      gone.catch(() => {});
      const { answer, clock } = begin({ onInterrupt, gone });
      await clock.advance(190 * SECOND);
      expect(await answer).toMatchObject({ interruption: 'silent', end: { kind: 'died' } });
    },
  );

  it('loses its family at once when it cannot be interrupted', async () => {
    const { agent, answer, clock } = begin({ onInterrupt: 'throws' });
    await clock.advance(0);
    agent.emit(toolStarted('a'));
    await clock.advance(180 * SECOND);
    expect(await answer).toMatchObject({ interruption: 'turn-timeout', end: { kind: 'died' } });
    expect(agent.closes).toBe(1);
  });

  it('ends as answered when the answer wins the race against the interrupt', async () => {
    const { agent, answer, clock } = begin({ onInterrupt: 'ignored' });
    await clock.advance(0);
    agent.emit(toolStarted('a'));
    await clock.advance(180 * SECOND);
    agent.end({ kind: 'answered', text: 'Just in time.' });
    expect(await answer).toMatchObject({
      interruption: 'turn-timeout',
      end: { kind: 'answered', text: 'Just in time.' },
    });
    expect(agent.closes).toBe(0);
    expect(clock.pending()).toBe(0);
  });
});

describe('a silent turn', () => {
  it('is interrupted after the silence, not before', async () => {
    const { agent, answer, clock } = begin();
    await clock.advance(90 * SECOND - 1);
    expect(agent.interrupts).toBe(0);
    await clock.advance(1);
    expect((await answer).interruption).toBe('silent');
  });

  it('is counted from when the agent was last heard of', async () => {
    const { agent, answer, clock } = begin();
    await clock.advance(60 * SECOND);
    agent.emit({ kind: 'activity' });
    await clock.advance(90 * SECOND - 1);
    expect(agent.interrupts).toBe(0);
    await clock.advance(1);
    expect((await answer).interruption).toBe('silent');
  });

  it('is not one that waits, as it said, before it asks the endpoint again', async () => {
    const { agent, answer, clock } = begin();
    await clock.advance(0);
    agent.emit({ kind: 'api-retry', attempt: 1, status: 529, delayMs: 60 * SECOND });
    await clock.advance(150 * SECOND - 1);
    expect(agent.interrupts).toBe(0);
    await clock.advance(1);
    expect((await answer).interruption).toBe('silent');
  });

  it('is not one in which a tool runs', async () => {
    const { agent, clock, answer } = begin();
    await clock.advance(0);
    agent.emit(toolStarted('a'));
    agent.emit(toolStarted('b'));
    agent.emit(toolFinished('a'));
    await clock.advance(170 * SECOND);
    expect(agent.interrupts).toBe(0);
    agent.emit(toolFinished('b'));
    agent.end({ kind: 'answered', text: 'Read.' });
    expect((await answer).interruption).toBe('none');
  });

  it('is one again once the tool has finished', async () => {
    const { agent, clock, answer } = begin({ limits: { turnTimeoutMs: 600 * SECOND } });
    await clock.advance(0);
    agent.emit(toolStarted('a'));
    await clock.advance(120 * SECOND);
    agent.emit(toolFinished('a'));
    await clock.advance(90 * SECOND - 1);
    expect(agent.interrupts).toBe(0);
    await clock.advance(1);
    expect((await answer).interruption).toBe('silent');
  });

  it('loses its family when it stays silent through the grace', async () => {
    const { agent, clock, answer } = begin({ onInterrupt: 'ignored' });
    await clock.advance(100 * SECOND);
    expect(await answer).toMatchObject({ interruption: 'silent', end: { kind: 'died' } });
    expect(agent.closes).toBe(1);
  });
});

describe('a turn that is asked to end', () => {
  it.each([
    ['drain', 'drain'],
    ['stopped', 'stopped'],
    ['stopped-by-command', 'stopped-by-command'],
    ['superseded', 'superseded'],
  ])('for %s is interrupted at once', async (reason, interruption) => {
    const { agent, clock, answer, abort } = begin();
    await clock.advance(SECOND);
    abort.abort(reason);
    expect(await answer).toMatchObject({ interruption, end: { kind: 'interrupted' } });
    expect(agent.interrupts).toBe(1);
    expect(clock.pending()).toBe(0);
  });

  it('keeps the first reason, and is told again until it ends, since an early interrupt is lost', async () => {
    const { agent, clock, answer, abort } = begin({ onInterrupt: 'ignored' });
    await clock.advance(90 * SECOND);
    abort.abort('drain');
    await clock.advance(10 * SECOND);
    expect((await answer).interruption).toBe('silent');
    const { interrupts } = agent;
    expect(interrupts).toBeGreaterThan(1);
    await clock.advance(10 * SECOND);
    expect(agent.interrupts).toBe(interrupts);
  });

  it('before it was sent ends as soon as it runs, on the same process', async () => {
    const { agent, clock, answer } = begin({ abortedBefore: 'drain' });
    await clock.advance(1 * SECOND);
    expect((await answer).interruption).toBe('drain');
    expect(agent.alive).toBe(true);
  });

  it('after it has ended is left alone', async () => {
    const { agent, clock, answer, abort } = begin();
    await clock.advance(0);
    agent.end({ kind: 'answered', text: 'Hello.' });
    await answer;
    abort.abort('stopped');
    expect(agent.interrupts).toBe(0);
  });
});
