import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { makeMemoryTranscripts } from '../../../test/fixtures/memory-transcripts.ts';
import { makeTempFolder } from '../../../test/setup/temp.ts';
import { newSessionId } from '../../base/ids.ts';
import type { ConversationKey, EntryId, Fence } from '../../base/terms.ts';
import { makeTranscriptMirror } from './transcript-mirror.ts';

const conversation = 'builtin:1:bot' as ConversationKey;
const sessionId = newSessionId();
const key = { projectKey: '-workspace', sessionId };
const owner = (fence: number) => ({ conversation, fence: fence as Fence });
const entry = (uuid: string, type = 'user') => ({ type, uuid });

function makeWorld(resumeAt: string | null = null) {
  const transcripts = makeMemoryTranscripts();
  const home = makeTempFolder();
  const clock = makeFakeClock();
  let fencedOut = 0;
  const failures: string[] = [];
  const mirror = makeTranscriptMirror({
    transcripts,
    home,
    resumeAt: resumeAt as EntryId | null,
    onFencedOut: () => fencedOut++,
    onWriteFailed: (reason, attempt) => failures.push(`${attempt}: ${reason}`),
    clock,
  });
  const stored = () => transcripts.main(sessionId).map(({ uuid }) => uuid);
  return { transcripts, home, clock, mirror, stored, failures, fencedOut: () => fencedOut };
}

describe('the mirror of a transcript', () => {
  it('writes under the fence of the running turn and knows its last entry', async () => {
    const { mirror, transcripts, stored } = makeWorld();
    transcripts.seize(5);
    mirror.beginTurn(owner(5));
    await mirror.store.append(key, [entry('a'), entry('b'), { type: 'last-prompt' }]);
    await mirror.store.append({ ...key, subpath: 'subagents/x' }, [entry('c')]);
    expect(await mirror.endTurn()).toBe('b');
    expect(stored()).toEqual(['a', 'b', undefined]);
    mirror.beginTurn(owner(6));
    expect(await mirror.endTurn()).toBeNull();
  });

  it('waits for entries on their way', async () => {
    const { mirror } = makeWorld();
    mirror.beginTurn(owner(1));
    void mirror.store.append(key, [entry('a')]);
    void mirror.store.append(key, [entry('b')]);
    expect(await mirror.endTurn()).toBe('b');
  });

  it('keeps what comes between turns for the next fence, in order', async () => {
    const { mirror, transcripts, stored } = makeWorld();
    await mirror.store.append(key, [entry('early')]);
    expect(stored()).toEqual([]);
    transcripts.seize(9);
    mirror.beginTurn(owner(9));
    await mirror.store.append(key, [entry('later')]);
    await mirror.endTurn();
    expect(stored()).toEqual(['early', 'later']);
  });

  it('keeps the order when a write fails and is tried again', async () => {
    const { mirror, transcripts, clock, stored } = makeWorld();
    await mirror.store.append(key, [entry('early')]);
    mirror.beginTurn(owner(1));
    transcripts.failWith(new Error('busy'));
    await mirror.store.append(key, [entry('later')]);
    transcripts.failWith(null);
    await clock.advance(1_000);
    await mirror.store.append(key, [entry('last')]);
    expect(await mirror.endTurn()).toBe('last');
    expect(stored()).toEqual(['early', 'later', 'last']);
    expect(mirror.hasLost()).toBe(false);
  });

  it('gives up what is refused again and again, says why, and knows no last entry from then on', async () => {
    const { mirror, transcripts, clock, stored, failures } = makeWorld();
    mirror.beginTurn(owner(1));
    transcripts.failWith(new Error('away'));
    await mirror.store.append(key, [entry('a')]);
    await clock.advance(10_000);
    transcripts.failWith(null);
    await mirror.store.append(key, [entry('b')]);
    expect(await mirror.endTurn()).toBeNull();
    expect(stored()).toEqual(['b']);
    expect(mirror.hasLost()).toBe(true);
    expect(failures).toEqual(['1: away', '2: away', '3: away', '4: away']);
    mirror.beginTurn(owner(2));
    await mirror.store.append(key, [entry('c')]);
    expect(await mirror.endTurn()).toBeNull();
    expect(clock.pending()).toBe(0);
  });

  it('holds the process up when too much waits', async () => {
    const { mirror, transcripts, clock, stored } = makeWorld();
    mirror.beginTurn(owner(1));
    transcripts.failWith(new Error('slow'));
    for (let index = 0; index <= 100; index += 1) await mirror.store.append(key, [entry(`${index}`)]);
    let taken = false;
    const next = mirror.store.append(key, [entry('next')]).then(() => {
      taken = true;
    });
    transcripts.failWith(null);
    expect(taken).toBe(false);
    await clock.advance(1_000);
    await next;
    expect(stored()).toHaveLength(102);
  });

  it('says once that the lease is lost, and keeps nothing more', async () => {
    const { mirror, transcripts, stored, fencedOut } = makeWorld();
    mirror.beginTurn(owner(1));
    transcripts.seize(2);
    await mirror.store.append(key, [entry('a')]);
    await mirror.store.append(key, [entry('b')]);
    expect(await mirror.endTurn()).toBeNull();
    expect(fencedOut()).toBe(1);
    expect(mirror.fencedOut()).toBe(true);
    expect(stored()).toEqual([]);
  });

  it('writes the copy that the process resumes into its home, sub-agents beside it, and hands the SDK none', async () => {
    const { mirror, home } = makeWorld();
    mirror.beginTurn(owner(1));
    await mirror.store.append(key, [
      entry('a'),
      { type: 'cost-state', totalCostUSD: 5 },
      entry('b', 'assistant'),
    ]);
    await mirror.store.append({ ...key, subpath: 'subagents/agent-1' }, [
      entry('c'),
      { type: 'agent_metadata', agentType: 'Explore' },
    ]);
    await mirror.endTurn();
    expect(await mirror.store.load(key)).toBeNull();
    expect(mirror.isUnread()).toBe(false);
    const folder = `${home}/projects/-workspace`;
    const read = (path: string) => readFileSync(`${folder}/${path}`, 'utf8');
    expect(read(`${sessionId}.jsonl`)).toBe('{"type":"user","uuid":"a"}\n{"type":"assistant","uuid":"b"}\n');
    expect(read(`${sessionId}/subagents/agent-1.jsonl`)).toBe('{"type":"user","uuid":"c"}\n');
    expect(read(`${sessionId}/subagents/agent-1.meta.json`)).toBe('{"agentType":"Explore"}');
  });

  it.each([
    ['b', '{"type":"user","uuid":"a"}\n{"type":"user","uuid":"b"}\n'],
    [
      'c',
      '{"type":"user","uuid":"a"}\n{"type":"user","uuid":"b"}\n{"type":"last-prompt"}\n{"type":"user","uuid":"c"}\n',
    ],
  ])('writes nothing of what came after the entry that is gone back to: %s', async (at, copy) => {
    const { mirror, home } = makeWorld(at);
    mirror.beginTurn(owner(1));
    await mirror.store.append(key, [entry('a'), entry('b'), { type: 'last-prompt' }, entry('c')]);
    await mirror.endTurn();
    await mirror.store.load(key);
    expect(readFileSync(`${home}/projects/-workspace/${sessionId}.jsonl`, 'utf8')).toBe(copy);
  });

  it('writes no sub-agent out of its session', async () => {
    const { mirror } = makeWorld();
    mirror.beginTurn(owner(1));
    await mirror.store.append(key, [entry('a')]);
    await mirror.store.append({ ...key, subpath: '../../../way-out' }, [entry('b')]);
    await mirror.endTurn();
    await expect(mirror.store.load(key)).rejects.toThrow('leaves its session');
    expect(mirror.isUnread()).toBe(true);
  });
});
