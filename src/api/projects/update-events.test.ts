import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setImmediate as nextEventLoopTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeClock, makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { ADMIN_TOKEN, AS_ADMIN, type Doors, openDoors } from '../../../test/fixtures/front-doors.ts';
import { type MemoryProjects, makeMemoryProjects } from '../../../test/fixtures/memory-projects.ts';
import { DEFAULT_POLICY, type UpdateId } from '../../projects/projects.ts';

const ID = 1 as UpdateId;
const ADDRESS = '/v1/updates/1/events';

let clock: FakeClock;
let memory: MemoryProjects;
let doors: Doors;
const sockets: Socket[] = [];
beforeEach(async () => {
  clock = makeFakeClock();
  memory = makeMemoryProjects(clock);
  doors = await openDoors({ projects: memory.projects, clock });
  await doors.http.listen({ host: '127.0.0.1', port: 0 });
  await queueAnother();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await doors.close();
});

/** An update of a project of its own. */
async function queueAnother(): Promise<UpdateId> {
  const project = { name: 'Shop', ownerId: 'ada', policy: DEFAULT_POLICY, importFrom: null };
  const { id: projectId } = await memory.projects.create(project);
  const options = {
    resume: 'auto',
    expectedVersion: null,
    restoreVersion: null,
    recommendations: null,
    documentation: null,
    compact: 'auto',
  } as const;
  const wish = { projectId, userId: 'ada', kind: 'update', prompt: 'a', options } as const;
  const outcome = await memory.projects.enqueue({ ...wish, idempotencyKey: 'k', digest: 'd' });
  if (!('update' in outcome)) throw new Error(outcome.kind);
  return outcome.update.id;
}

/** A token of the first update's project. */
async function makeToken() {
  const update = await memory.projects.updates.get(ID);
  const url = `/v1/projects/${update?.projectId}/tokens`;
  const asked = { method: 'POST', url, headers: AS_ADMIN, payload: { user_id: 'ada' } } as const;
  const { id, token } = (await doors.http.inject(asked)).json();
  return {
    token: String(token),
    revoke: () => doors.http.inject({ method: 'DELETE', url: `${url}/${id}`, headers: AS_ADMIN }),
  };
}

async function refusalOf(url = ''): Promise<string> {
  return (await doors.http.inject({ url, headers: AS_ADMIN })).json().code;
}

/** A client of the stream; `heard` grows as it reads. */
function listen(headers: readonly string[] = [], address = ADDRESS, token = ADMIN_TOKEN) {
  const socket = connect((doors.http.server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  const client = { socket, heard: '', until, ids, closed: once(socket, 'close') };
  socket.on('data', (chunk) => {
    client.heard += chunk.toString();
  });
  socket.on('error', () => {});
  const lines = ['Host: localhost', `Authorization: Bearer ${token}`, 'Connection: close', ...headers];
  socket.write(`GET ${address} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  return client;

  async function until(text: string): Promise<string> {
    while (!client.heard.includes(text)) await once(socket, 'data');
    return client.heard;
  }
  function ids(): number[] {
    return [...client.heard.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  }
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await nextEventLoopTurn();
}

function end(type: 'update.completed' | 'update.failed' | 'update.cancelled' = 'update.completed') {
  return memory.happen(ID, type, { progress: 1, update: { status: 'completed' } });
}

describe('GET /v1/updates/:id/events', () => {
  it('tells what was and what comes, and ends with the terminal event', async () => {
    memory.happen(ID, 'update.started', { progress: 0.05, payload: { attempt: 1 } });
    const client = listen();
    const head = await client.until('update.started');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head.toLowerCase()).toContain('content-type: text/event-stream');
    expect(head.toLowerCase()).toContain('cache-control: no-store');
    expect(head).toContain(
      'id: 2\nevent: update.started\ndata: {"update_id":1,"seq":2,"at":"2026-01-01T00:00:00.000Z","type":"update.started","progress":0.05,"payload":{"attempt":1}}\n\n',
    );
    memory.happen(ID, 'agent.message', { payload: { text: 'a\nb' } });
    await client.until('"a\\nb"');
    end();
    await client.closed;
    expect(client.ids()).toEqual([1, 2, 3, 4]);
    expect(memory.listeners()).toBe(0);
  });

  it('J1: replays from any Last-Event-ID, without a gap or a duplicate', async () => {
    for (let count = 0; count < 500; count++) memory.happen(ID, 'agent.tool');
    end();
    for (const last of [0, 1, 199, 200, 201, 499, 501]) {
      const client = listen([`Last-Event-ID: ${last}`]);
      await client.closed;
      expect(client.ids()).toEqual(Array.from({ length: 502 - last }, (_, at) => last + 1 + at));
    }
  });

  it('misses nothing that happens while it reads', async () => {
    const clients = Array.from({ length: 10 }, () => listen());
    for (let count = 0; count < 300; count++) {
      memory.happen(ID, 'agent.tool');
      if (count % 7 === 0) await nextEventLoopTurn();
    }
    end();
    for (const client of clients) {
      await client.closed;
      expect(client.ids()).toEqual(Array.from({ length: 302 }, (_, at) => at + 1));
    }
  });

  it('J2: finds rows that nobody rang for', async () => {
    const client = listen();
    await client.until('update.queued');
    await settle();
    memory.happen(ID, 'update.started', { silently: true });
    await settle();
    expect(client.heard).not.toContain('update.started');
    await clock.advance(2_000);
    await client.until('update.started');
  });

  it('goes on after ?after=, and Last-Event-ID is stronger', async () => {
    for (let count = 0; count < 5; count++) memory.happen(ID, 'agent.tool');
    end();
    const one = listen([], `${ADDRESS}?after=5`);
    const other = listen(['Last-Event-ID: 6'], `${ADDRESS}?after=2`);
    await Promise.all([one.closed, other.closed]);
    expect([one.ids(), other.ids()]).toEqual([[6, 7], [7]]);
  });

  it('J4: says that nothing will come to who knows the end', async () => {
    const { seq } = end();
    const url = `${ADDRESS}?after=${seq}`;
    const answer = await doors.http.inject({ url, headers: AS_ADMIN });
    expect([answer.statusCode, answer.body]).toEqual([204, '']);
  });

  it('is heard from now and then while nothing happens', async () => {
    const client = listen();
    await client.until('update.queued');
    await settle();
    for (let times = 0; times < 8; times++) await clock.advance(2_000);
    await client.until(': still here');
    expect(client.heard.match(/still here/g)).toHaveLength(1);
  });

  it('J3: cuts off who does not read, and reads no further for it', async () => {
    const client = listen();
    await client.until('update.queued');
    client.socket.pause();
    const text = 'x'.repeat(100_000);
    for (let count = 0; count < 2_000; count++) memory.happen(ID, 'agent.message', { payload: { text } });
    await settle();
    const reads = memory.reads();
    expect(reads).toBeLessThan(10);
    await clock.advance(60_000);
    expect(memory.reads()).toBe(reads);
    expect(memory.listeners()).toBe(0);
    client.socket.resume();
    await client.closed;

    const [last] = client.ids().slice(-1);
    const again = listen([`Last-Event-ID: ${last}`]);
    await again.until(`id: ${Number(last) + 1}\n`);
  });

  it('takes 16 clients of a project, 64 in all, and forgets those that leave', async () => {
    const addresses = [ADDRESS];
    for (let count = 2; count <= 5; count++) addresses.push(`/v1/updates/${await queueAnother()}/events`);
    for (const address of addresses.slice(0, 4)) {
      const clients = Array.from({ length: 16 }, () => listen([], address));
      for (const client of clients) await client.until('update.queued');
      expect(await refusalOf(address)).toBe('too_many_listeners');
    }
    expect(await refusalOf(addresses[4])).toBe('too_many_listeners');
    for (const socket of sockets.splice(0)) socket.destroy();
    while (memory.listeners() > 0) await nextEventLoopTurn();
    await listen().until('update.queued');
    expect(clock.pending()).toBeLessThan(10);
  });

  it('ends when its token is revoked, and tells nothing of what happens then', async () => {
    const { token, revoke } = await makeToken();
    const [theirs, ours] = [listen([], ADDRESS, token), listen()];
    for (const client of [theirs, ours]) await client.until('update.queued');
    memory.happen(ID, 'update.started');
    await theirs.until('update.started');
    await revoke();
    memory.happen(ID, 'agent.tool');
    await theirs.closed;
    await ours.until('agent.tool');
    expect(theirs.ids()).toEqual([1, 2]);
    await listen([], ADDRESS, token).until('wrong_project_token');
  });

  it('ends when its token is revoked though nothing happens', async () => {
    const { token, revoke } = await makeToken();
    const client = listen([], ADDRESS, token);
    await client.until('update.queued');
    await revoke();
    await settle();
    await clock.advance(2_000);
    await client.closed;
  });

  it('keeps no server from closing', async () => {
    const client = listen();
    await client.until('update.queued');
    await doors.http.close();
    await client.closed;
    expect(client.ids()).toEqual([1]);
  });

  it.each(['Last-Event-ID: x', 'Last-Event-ID: -1'])('refuses %s', async (header) => {
    const client = listen([header]);
    await client.closed;
    expect(client.heard).toMatch(/^HTTP\/1\.1 422 /);
  });
});

describe('GET /v1/updates/:id/events as JSON', () => {
  const page = async (query = '') =>
    (
      await doors.http.inject({ url: ADDRESS + query, headers: { ...AS_ADMIN, accept: 'application/json' } })
    ).json();

  it('goes page by page and says when it is over', async () => {
    memory.happen(ID, 'update.started', { update: { status: 'running' } });
    expect(await page()).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }], next: 2, ended: false });
    expect(await page('?after=2')).toEqual({ events: [], next: 2, ended: false });
    end();
    expect(await page('?limit=2')).toMatchObject({ next: 2, ended: false });
    expect(await page('?after=2')).toMatchObject({
      events: [{ seq: 3, type: 'update.completed' }],
      next: 3,
      ended: true,
    });
    expect(await page('?after=3')).toEqual({ events: [], next: 3, ended: true });
  });
});
