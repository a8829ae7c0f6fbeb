/** The contracts that the Agent SDK documents for a `SessionStore`, and the fence that is ours. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TranscriptEntry, TranscriptOwner } from '../../src/agent/agent.ts';
import { LeaseLost } from '../../src/base/errors.ts';
import { newEntryId, newSessionId } from '../../src/base/ids.ts';
import type { SessionId } from '../../src/base/terms.ts';
import { leaseOf } from './rows.ts';
import type { MakeStoreUnderTest, StoreUnderTest } from './store-under-test.ts';

export function transcriptsContract(make: MakeStoreUnderTest): void {
  let under: StoreUnderTest;
  let owner: TranscriptOwner;
  let session: SessionId;
  beforeEach(async () => {
    under = await make();
    owner = await leaseOf(under.store);
    session = newSessionId();
  });
  afterEach(() => under.close());

  const entry = (text: string): TranscriptEntry => ({ type: 'user', uuid: newEntryId(), text });
  const append = (entries: readonly TranscriptEntry[], subpath: string | null = null, id = session) =>
    under.store.transcripts.append(owner, id, subpath, entries);
  const load = (subpath: string | null = null, id = session) => under.store.transcripts.load(id, subpath);

  test('what was appended is loaded in the order in which it came', async () => {
    const entries = ['a', 'b', 'c', 'd', 'e'].map(entry);
    await append(entries.slice(0, 2));
    await append(entries.slice(2, 3));
    await append(entries.slice(3));
    expect(await load()).toEqual(entries);
  });

  test('appends that are called at once stand in the order of the calls', async () => {
    const entries = Array.from({ length: 40 }, (_, index) => entry(`${index}`));
    await Promise.all(entries.map((each) => append([each])));
    expect(await load()).toEqual(entries);
  });

  test('a session that was never written loads as null', async () => {
    expect(await load()).toBeNull();
    await append([entry('a')]);
    expect(await load(null, newSessionId())).toBeNull();
  });

  test('a subpath that was never written loads as null beside a main transcript that was', async () => {
    await append([entry('a')]);
    expect(await load('subagents/agent-1')).toBeNull();
  });

  test('appending nothing writes nothing', async () => {
    await append([]);
    expect(await load()).toBeNull();
  });

  test('an entry whose uuid is there already is skipped, and the first one stays', async () => {
    const [a, b, c] = [entry('a'), entry('b'), entry('c')];
    await append([a, b]);
    await append([a, { ...b, text: 'changed' }, c]);
    expect(await load()).toEqual([a, b, c]);
  });

  test('an entry that stands twice in one batch is written once', async () => {
    const a = entry('a');
    await append([a, a]);
    expect(await load()).toEqual([a]);
  });

  test('entries without a uuid are all kept', async () => {
    const title = { type: 'summary', title: 'Lounge' };
    await append([title, title]);
    await append([title]);
    expect(await load()).toEqual([title, title, title]);
  });

  test('every JSON value comes back deep-equal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: false }), async (value) => {
        const id = newSessionId();
        const given = { type: 'assistant', uuid: newEntryId(), value };
        await append([given], null, id);
        expect(await load(null, id)).toEqual(JSON.parse(JSON.stringify([given])));
      }),
      { numRuns: 50 },
    );
  });

  test('a long batch with long entries comes back whole', async () => {
    const entries = Array.from({ length: 750 }, (_, index) => entry(`${index} ${'x'.repeat(2_000)}`));
    await append(entries);
    expect(await load()).toEqual(entries);
  });

  test('subpaths are kept apart from the main transcript and from each other, and are listed', async () => {
    const [main, one, two] = [entry('main'), entry('one'), entry('two')];
    await append([main]);
    await append([one], 'subagents/agent-1');
    await append([two, main], 'subagents/agent-2');
    expect(await load()).toEqual([main]);
    expect(await load('subagents/agent-1')).toEqual([one]);
    expect(await load('subagents/agent-2')).toEqual([two, main]);
    expect(await under.store.transcripts.subpaths(session)).toEqual([
      'subagents/agent-1',
      'subagents/agent-2',
    ]);
    expect(await under.store.transcripts.subpaths(newSessionId())).toEqual([]);
  });

  test('sessions are kept apart', async () => {
    const [shared, other] = [entry('a'), newSessionId()];
    await append([shared]);
    await append([shared, entry('b')], null, other);
    expect(await load()).toEqual([shared]);
    expect(await load(null, other)).toHaveLength(2);
  });

  test('deleting a session deletes its subpaths too, and no other session', async () => {
    const other = newSessionId();
    await append([entry('a')]);
    await append([entry('b')], 'subagents/agent-1');
    await append([entry('c')], null, other);
    await under.store.transcripts.delete(session);
    await under.store.transcripts.delete(newSessionId());
    expect(await load()).toBeNull();
    expect(await under.store.transcripts.subpaths(session)).toEqual([]);
    expect(await load(null, other)).toHaveLength(1);
  });

  test('a deleted session can be written anew', async () => {
    const a = entry('a');
    await append([a]);
    await under.store.transcripts.delete(session);
    await append([a]);
    expect(await load()).toEqual([a]);
  });

  test('after gives the tail of the main transcript, and null where its start is not known', async () => {
    const { transcripts } = under.store;
    const entries = ['a', 'b', 'c'].map(entry);
    expect(await transcripts.after(session, null)).toBeNull();
    await append(entries);
    await append([entry('aside')], 'subagents/agent-1');
    const at = (index: number) => entries[index]?.uuid as ReturnType<typeof newEntryId>;
    expect(await transcripts.after(session, null)).toEqual(entries);
    expect(await transcripts.after(session, at(0))).toEqual(entries.slice(1));
    expect(await transcripts.after(session, at(2))).toEqual([]);
    expect(await transcripts.after(session, newEntryId())).toBeNull();
    expect(await transcripts.after(newSessionId(), at(0))).toBeNull();
  });

  test('an append under a stale fence is refused and writes nothing', async () => {
    await append([entry('a')]);
    await under.another('second').leases.seize(owner.conversation);
    await expect(append([entry('b')])).rejects.toThrow(LeaseLost);
    expect(await load()).toHaveLength(1);
  });
}
