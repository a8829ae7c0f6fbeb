import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { accept, conversationIn, leaseOf, runOneTurn } from '../../test/contract/rows.ts';
import { makeSqliteUnderTest, type StoreUnderTest } from '../../test/contract/store-under-test.ts';
import { AS_ADMIN, type Doors, openDoors } from '../../test/fixtures/front-doors.ts';
import { newEntryId } from '../base/ids.ts';
import type { InboxId } from '../base/terms.ts';

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

const get = (query = '') => doors.http.inject({ url: `/api/inbox${query}`, headers: AS_ADMIN });
const replay = (id: number | string) =>
  doors.http.inject({ method: 'POST', url: `/api/inbox/${id}/replay`, headers: AS_ADMIN });
const idsOf = async (query = '') =>
  (await get(query)).json().messages.map(({ id }: { id: number }) => id) as number[];

async function bury(room: number): Promise<InboxId> {
  const id = await accept(under.store, { room, text: 'a secret', messageId: `m${room}` });
  const lease = await leaseOf(under.store, room);
  await under.store.inbox.claim(lease, 'one', newEntryId());
  await under.store.turns.transaction(lease, (tx) => tx.inbox.bury([id], 'attempts'));
  await under.store.leases.release(lease);
  return id;
}

describe('GET /api/inbox', () => {
  it('lists what is on its way and what is dead, newest first, without a word of it', async () => {
    const dead = await bury(1);
    await accept(under.store, { room: 2 });
    await runOneTurn(under.store, 2);
    const waiting = await accept(under.store, { room: 3, receivedAt: 5_000, roomName: null });

    const answer = await get();
    expect(answer.body).not.toContain('secret');
    expect(answer.json()).toMatchObject({ next: null, messages: [{ id: waiting }, { id: dead }] });
    expect(answer.json().messages[0]).toEqual({
      id: waiting,
      key: 'campfire:abc:3:helper',
      room_id: 3,
      room_name: null,
      bot_id: 'helper',
      user_id: '7',
      user_name: 'Jane',
      message_id: null,
      state: 'waiting',
      outcome: null,
      attempts: 0,
      accepted_at: '1970-01-01T00:00:05.000Z',
      not_before: null,
      ended_at: null,
      replay_of: null,
    });
  });

  it('is narrowed to states, to a conversation and to a page', async () => {
    const dead = [await bury(1), await bury(2)];
    const waiting = await accept(under.store, { room: 1 });
    expect(await idsOf('?state=buried')).toEqual([dead[1], dead[0]]);
    expect(await idsOf('?state=waiting,%20buried')).toEqual([waiting, dead[1], dead[0]]);
    expect(await idsOf(`?key=${encodeURIComponent(conversationIn(1))}`)).toEqual([waiting, dead[0]]);
    const first = (await get('?limit=2')).json();
    expect(first.next).toBe(dead[1]);
    expect(await idsOf(`?limit=2&before=${first.next}`)).toEqual([dead[0]]);
  });

  it('shows what was written only when asked', async () => {
    await bury(1);
    expect((await get('?text=true')).json().messages[0].text).toBe('a secret');
    expect((await get('?text=false')).json().messages[0].text).toBeUndefined();
  });

  it.each(['?state=sleeping', '?state=', '?limit=0', '?before=x', '?text=perhaps'])(
    'refuses %s',
    async (query) => {
      expect((await get(query)).json()).toMatchObject({ status: 422, code: 'invalid_fields' });
    },
  );
});

describe('POST /api/inbox/:id/replay', () => {
  it('lets a dead message run again and wakes its conversation', async () => {
    const id = await bury(1);
    const answer = await replay(id);
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toMatchObject({
      status: 'success',
      message: { state: 'waiting', replay_of: id, accepted_at: '2026-01-01T00:00:00.000Z' },
    });
    expect(answer.body).not.toContain('secret');
    expect(doors.woken).toEqual([conversationIn(1)]);
  });

  it('says why it does not', async () => {
    const id = await bury(1);
    const waiting = await accept(under.store, { room: 2 });
    const copy = (await replay(id)).json().message.id;
    expect((await replay(id)).json()).toMatchObject({
      status: 409,
      code: 'replayed_before',
      detail: `It runs again as message ${copy}.`,
    });
    expect((await replay(waiting)).json()).toMatchObject({ status: 409, code: 'not_buried' });
    expect((await replay(999)).json()).toMatchObject({ status: 404, code: 'unknown_message' });
    expect((await replay('x')).json()).toMatchObject({ status: 422, code: 'invalid_fields' });
    const lease = await leaseOf(under.store, 3);
    const forgotten = await bury(4);
    await under.store.leases.release(lease);
    const other = await leaseOf(under.store, 4);
    await under.store.sessions.forget(other);
    expect((await replay(forgotten)).json()).toMatchObject({ status: 409, code: 'forgotten' });
    expect(doors.woken).toEqual([conversationIn(1)]);
  });
});
