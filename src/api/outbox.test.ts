import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { conversationIn, leaseOf, replyIn } from '../../test/contract/rows.ts';
import { makeSqliteUnderTest, type StoreUnderTest } from '../../test/contract/store-under-test.ts';
import { AS_ADMIN, type Doors, openDoors } from '../../test/fixtures/front-doors.ts';
import type { OutboxId } from '../base/terms.ts';

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

const get = (query = '') => doors.http.inject({ url: `/api/outbox${query}`, headers: AS_ADMIN });
const replay = (id: number | string) =>
  doors.http.inject({ method: 'POST', url: `/api/outbox/${id}/replay`, headers: AS_ADMIN });

async function bury(room: number): Promise<OutboxId> {
  const { outbox } = under.store;
  await outbox.add([replyIn(room, 'a secret')]);
  const [row] = await outbox.claim(Number.MAX_SAFE_INTEGER, new Set(), 1);
  await outbox.finish(row!.id, { kind: 'buried', reason: 'key_refused' });
  return row!.id;
}

describe('GET /api/outbox', () => {
  it('lists what is dead, and why, and what is on its way', async () => {
    const dead = await bury(1);
    await under.store.outbox.add([replyIn(2, 'another secret')]);
    const answer = await get();
    expect(answer.json()).toMatchObject({
      replies: [
        { key: conversationIn(2), state: 'owed', reason: null, attempts: 0 },
        { id: dead, room_id: 1, kind: 'reply', state: 'buried', reason: 'key_refused', attempts: 1 },
      ],
      next: null,
    });
    expect(answer.body).not.toContain('secret');
    expect((await get('?state=buried&text=true')).json().replies).toMatchObject([{ text: 'a secret' }]);
    const key = encodeURIComponent(conversationIn(2));
    expect((await get(`?key=${key}`)).json().replies).toHaveLength(1);
  });

  it('gives page after page', async () => {
    const dead = [await bury(1), await bury(2)];
    const first = (await get('?limit=1')).json();
    expect(first).toMatchObject({ replies: [{ id: dead[1] }], next: dead[1] });
    expect((await get(`?limit=1&before=${first.next}`)).json()).toMatchObject({
      replies: [{ id: dead[0] }],
      next: null,
    });
    expect((await get('?state=lost')).json()).toMatchObject({ status: 422, code: 'invalid_fields' });
  });
});

describe('POST /api/outbox/:id/replay', () => {
  it('sends a dead reply after all, once', async () => {
    const id = await bury(1);
    const answer = await replay(id);
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toMatchObject({ reply: { state: 'owed', replay_of: id } });
    expect(answer.body).not.toContain('secret');
    expect((await replay(id)).json()).toMatchObject({
      status: 409,
      code: 'replayed_before',
      detail: `It is reply ${answer.json().reply.id} now.`,
    });
    expect(doors.owed.count).toBe(1);
  });

  it('says why it does not', async () => {
    await under.store.outbox.add([replyIn(1, 'owed')]);
    const [owed] = (await get()).json().replies;
    expect((await replay(owed.id)).json()).toMatchObject({ status: 409, code: 'not_buried' });
    expect((await replay(999)).json()).toMatchObject({ status: 404, code: 'unknown_reply' });
    expect((await replay('x')).json()).toMatchObject({ status: 422, code: 'invalid_fields' });
    await under.store.outbox.claim(Number.MAX_SAFE_INTEGER, new Set(), 1);
    await under.store.outbox.finish(owed.id, { kind: 'sent', platformId: '1' });
    const dead = await bury(4);
    await under.store.sessions.forget(await leaseOf(under.store, 4));
    expect((await replay(dead)).json()).toMatchObject({ status: 409, code: 'forgotten' });
    expect(doors.owed.count).toBe(0);
  });
});
