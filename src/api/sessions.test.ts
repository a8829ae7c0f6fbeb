import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { accept, conversationIn, leaseOf, ledgerOf, recordOf, turnOf } from '../../test/contract/rows.ts';
import { makeSqliteUnderTest, type StoreUnderTest } from '../../test/contract/store-under-test.ts';
import { AS_ADMIN, type DoorOptions, type Doors, openDoors } from '../../test/fixtures/front-doors.ts';
import { newAgentId, newEntryId } from '../base/ids.ts';
import type { SessionRecord } from '../session/session.ts';

let under: StoreUnderTest;
let doors: Doors;
beforeEach(async () => {
  under = await makeSqliteUnderTest();
  doors = await openDoors({ views: under.store.views });
});
afterEach(async () => {
  await doors.close();
  await under.close();
});

async function reopen(options: DoorOptions): Promise<void> {
  await doors.close();
  doors = await openDoors({ views: under.store.views, ...options });
}

function get(url: string, headers: Record<string, string> = {}) {
  return doors.http.inject({ url, headers: { ...AS_ADMIN, ...headers } });
}
function post(url: string) {
  return doors.http.inject({ method: 'POST', url, headers: AS_ADMIN });
}
const addressOf = (room: number) => `/api/sessions/${encodeURIComponent(conversationIn(room))}`;

async function begin(room: number, facts: Partial<SessionRecord> = {}): Promise<SessionRecord> {
  const record = recordOf(room, facts);
  const lease = await leaseOf(under.store, room);
  await under.store.sessions.begin(lease, record, null);
  await under.store.leases.release(lease);
  return record;
}

describe('GET /api/sessions', () => {
  it('lists what is current, newest use first, with what lives of it', async () => {
    const now = doors.clock.now();
    await begin(1, { lastUsedAt: now - 2_000, createdAt: now - 5_000 });
    const { sessionId } = await begin(2, { state: 'active', lastUsedAt: now - 1_000, turnCount: 3 });
    const agent = { id: newAgentId(), pid: 1, conversation: conversationIn(2), startedAt: now, rssMb: 210 };
    await reopen({ census: [agent] });
    doors.running.add(conversationIn(2));

    const { sessions, next } = (await get('/api/sessions')).json();
    expect(next).toBeNull();
    expect(sessions).toMatchObject([
      {
        key: 'campfire:abc:2:helper',
        room_id: 2,
        bot_id: 'helper',
        user_id: null,
        session_id: sessionId,
        state: 'active',
        connected: true,
        busy: true,
        query_count: 3,
        idle_seconds: 1,
        rss_mb: 210,
        fingerprint: 'f',
      },
      { room_id: 1, state: 'provisional', connected: false, busy: false, rss_mb: null, age_seconds: 5 },
    ]);
  });

  it('goes page by page', async () => {
    for (const room of [1, 2, 3]) await begin(room, { lastUsedAt: 1_000 });
    const seen: string[] = [];
    let before = '';
    for (let pages = 0; pages < 3; pages++) {
      const { sessions, next } = (await get(`/api/sessions?limit=1${before}`)).json();
      seen.push(...sessions.map(({ key }: { key: string }) => key));
      expect(next === null).toBe(pages === 2);
      before = `&before=${next}`;
    }
    expect(seen.sort()).toEqual([1, 2, 3].map(conversationIn));
  });

  it.each(['limit=0', 'limit=501', 'limit=x', 'before=yesterday', 'before=1.%27or'])(
    'refuses ?%s',
    async (query) => {
      expect((await get(`/api/sessions?${query}`)).json()).toMatchObject({
        status: 422,
        code: 'invalid_fields',
      });
    },
  );
});

describe('GET /api/sessions/:key', () => {
  it('shows one with its last turns and all that it ever took', async () => {
    await begin(1, { state: 'active' });
    doors.turns.push(turnOf(1, { outcome: 'answered' }), turnOf(2));
    const lease = await leaseOf(under.store);
    await under.store.turns.transaction(lease, (tx) => tx.ledger.add(ledgerOf(1)));

    const one = (await get(addressOf(1))).json();
    expect(one).toMatchObject({
      key: conversationIn(1),
      state: 'active',
      totals: { attempts: 1, cost_usd: 0.25, input_tokens: 10, output_tokens: 20 },
    });
    expect(one.turns).toMatchObject([{ conversation: conversationIn(1), outcome: 'answered' }]);
  });

  it('shows how the last session ended when there is no current one', async () => {
    const { sessionId } = await begin(1);
    await under.store.sessions.end(await leaseOf(under.store), sessionId, 'quarantined');
    expect((await get(addressOf(1))).json()).toMatchObject({ state: 'quarantined', session_id: sessionId });
  });

  it.each(['campfire%3Aabc%3A9%3Ahelper', 'nonsense', 'a%3A%25zz%3Ab', '%00'])(
    'knows nothing of %s',
    async (key) => {
      for (const part of ['', '/transcript'])
        expect((await get(`/api/sessions/${key}${part}`)).json()).toMatchObject({
          status: 404,
          code: 'unknown_conversation',
        });
    },
  );
});

describe('GET /api/sessions/:key/transcript', () => {
  const entries = ['a', 'b', 'c'].map((text) => ({ type: 'user', uuid: newEntryId(), text }));
  beforeEach(async () => {
    const { sessionId } = await begin(1, { state: 'active', settledEntry: entries[1]!.uuid });
    await under.store.transcripts.append(await leaseOf(under.store), sessionId, null, entries);
    await under.store.transcripts.append(
      await leaseOf(under.store, 2),
      sessionId,
      'subagents/x',
      entries.slice(0, 1),
    );
  });

  it('gives the entries in order, page by page, and says up to where they are settled', async () => {
    const first = (await get(`${addressOf(1)}/transcript?limit=2`)).json();
    expect(first).toMatchObject({ key: conversationIn(1), settled_entry: entries[1]!.uuid });
    expect(first.entries).toEqual(entries.slice(0, 2));
    const second = (await get(`${addressOf(1)}/transcript?limit=2&after=${first.next}`)).json();
    expect(second).toMatchObject({ entries: entries.slice(2), next: null });
    const ofAgent = await get(`${addressOf(1)}/transcript?subpath=subagents/x`);
    expect(ofAgent.json().entries).toEqual(entries.slice(0, 1));
  });

  it('gives JSON lines to whoever asks for them, the next page in a header', async () => {
    const lines = { accept: 'application/x-ndjson' };
    const first = await get(`${addressOf(1)}/transcript?limit=2`, lines);
    expect(first.headers['content-type']).toContain('application/x-ndjson');
    expect(first.body).toBe(`${JSON.stringify(entries[0])}\n${JSON.stringify(entries[1])}\n`);
    const next = /^<(.+)>; rel="next"$/.exec(String(first.headers.link))?.[1] ?? '';
    const second = await get(next, lines);
    expect(second.body).toBe(`${JSON.stringify(entries[2])}\n`);
    expect(second.headers.link).toBeUndefined();
  });
});

describe('steering', () => {
  beforeEach(() => begin(1));

  it('resets a conversation, one that only waits too', async () => {
    await accept(under.store, { room: 2 });
    expect((await post(`${addressOf(1)}/reset`)).json()).toEqual({
      status: 'success',
      key: conversationIn(1),
    });
    expect((await post(`${addressOf(2)}/reset`)).statusCode).toBe(200);
    expect(doors.forgotten).toEqual([conversationIn(1), conversationIn(2)]);
  });

  it('interrupts a turn that runs, and says when none does', async () => {
    doors.running.add(conversationIn(1));
    expect((await post(`${addressOf(1)}/interrupt`)).statusCode).toBe(200);
    expect((await post(`${addressOf(1)}/interrupt`)).json()).toMatchObject({
      status: 409,
      code: 'not_running',
    });
  });

  it.each([
    ['compacted', 200, undefined],
    ['busy', 409, 'busy'],
    ['not-live', 409, 'not_live'],
    ['failed', 502, 'compact_failed'],
    ['not-available', 409, 'not_available'],
  ] as const)('a compaction that is %s is answered %i', async (result, status, code) => {
    await reopen({ compact: async () => result });
    const answer = await post(`${addressOf(1)}/compact`);
    expect(answer.statusCode).toBe(status);
    expect(answer.json().code).toBe(code);
  });

  it.each(['reset', 'compact', 'interrupt'])('does not %s what nobody knows', async (verb) => {
    for (const address of [addressOf(9), '/api/sessions/nonsense'])
      expect((await post(`${address}/${verb}`)).json()).toMatchObject({
        status: 404,
        code: 'unknown_conversation',
      });
    expect(doors.forgotten).toEqual([]);
  });
});
