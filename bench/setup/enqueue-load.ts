/** Updates queued over HTTP by many clients at once. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { startLocalCampfire } from './campfire.ts';
import { startModelProcess } from './model-process.ts';
import type { Bench } from './run.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';
import { ADMIN_TOKEN, toServerEnv } from './settings.ts';

/** The update that runs meanwhile waits for its model: what is measured is the door. */
const MODEL_ANSWERS_AFTER_MS = 3_600_000;
export const CLIENTS = 16;
const ALONE_PROJECTS = 15;
/** One less than a project lets wait: nobody is told that the queue is full. */
const EACH = 19;
const WARM_UP_PROJECTS = 16;

export type DoorTimes = { readonly alone: readonly number[]; readonly together: readonly number[] };

/** Milliseconds until each update was answered, to one client and to many. */
export async function measureDoor(bench: Bench, projects: number): Promise<DoorTimes> {
  const model = await startModelProcess(bench, MODEL_ANSWERS_AFTER_MS);
  const campfire = await startLocalCampfire(bench);
  const more = { PROJECTS_AT_ONCE: '1', DRAIN_SECONDS: '0' };
  const dataDir = join(bench.folder, 'door');
  const server = await startServerProcess(bench, toServerEnv({ dataDir, model, campfire, more }));
  await loadProjects(server, WARM_UP_PROJECTS, CLIENTS);
  const alone = await loadProjects(server, ALONE_PROJECTS, 1);
  return { alone, together: await loadProjects(server, projects, CLIENTS) };
}

async function loadProjects(
  server: ServerProcess,
  count: number,
  clients: number,
): Promise<readonly number[]> {
  const paths: string[] = [];
  for (let made = 0; made < count; made += 1) {
    const { id } = (await post(server, '/v1/projects', { name: 'Shop' }, 201)).body;
    paths.push(`/v1/projects/${id}/updates`);
  }
  const wishes = Array.from({ length: EACH }, () => paths).flat();
  const times: number[] = [];
  const client = async () => {
    for (let path = wishes.pop(); path !== undefined; path = wishes.pop())
      times.push((await post(server, path, { prompt: 'Make the buttons blue' }, 202)).tookMs);
  };
  await Promise.all(Array.from({ length: clients }, client));
  return times;
}

async function post(server: ServerProcess, path: string, body: object, expected: number) {
  const begun = performance.now();
  const answer = await fetch(server.address + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(body),
  });
  const read = (await answer.json()) as { readonly id: string };
  if (answer.status !== expected) throw new Error(`${path} was answered ${answer.status}`);
  return { body: read, tookMs: performance.now() - begun };
}
