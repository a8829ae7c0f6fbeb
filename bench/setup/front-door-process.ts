/**
 * Counterparts of our routes, each in a process of its own: `bare` is Fastify that parses the same body and answers 200
 * with nothing in it; `no-database` is our own route whose messages are stored nowhere; `listing` is Fastify that answers
 * with the JSON of a file.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type FastifyInstance, fastify } from 'fastify';
import { botId, chatName, type InboxId } from '../../src/base/terms.ts';
import { makeBot, openDoors } from '../../test/fixtures/front-doors.ts';
import { BOT_KEY } from './campfire.ts';
import { startChild } from './child-process.ts';
import type { Bench } from './run.ts';
import { BOT_ID } from './settings.ts';

const THIS_FILE = fileURLToPath(import.meta.url);

/** The address of its webhook. */
export async function startFrontDoor(bench: Bench, which: 'bare' | 'no-database'): Promise<string> {
  return `${await startDoor(bench, [which])}/webhook/${BOT_ID}`;
}

/** The address that answers with what the JSON file holds. */
export async function startBareListing(bench: Bench, file: string): Promise<string> {
  return `${await startDoor(bench, ['listing', file])}/listing`;
}

async function startDoor(bench: Bench, args: readonly string[]): Promise<string> {
  const ready = /^front door at (\S+)$/m;
  const child = await startChild(THIS_FILE, { args, cwd: bench.folder, env: {}, ready });
  bench.defer(child.kill);
  return child.address;
}

function makeBare(): FastifyInstance {
  const http = fastify();
  http.post('/webhook/:botId', async (_request, reply) => reply.code(200).send());
  return http;
}

async function makeWithoutDatabase(): Promise<FastifyInstance> {
  const doors = await openDoors({
    chat: chatName('campfire:bench'),
    bots: [makeBot({ id: botId(BOT_ID), key: BOT_KEY, isDefault: true })],
    accept: async () => ({ kind: 'accepted', id: 1 as InboxId, idReused: false }),
  });
  return doors.http;
}

function makeListing(file: string): FastifyInstance {
  const listing: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const http = fastify();
  http.get('/listing', async (_request, reply) => reply.send(listing));
  return http;
}

async function makeDoor(which: string | undefined, file: string): Promise<FastifyInstance> {
  if (which === 'bare') return makeBare();
  return which === 'listing' ? makeListing(file) : await makeWithoutDatabase();
}

if (process.argv[1] === THIS_FILE) {
  const http = await makeDoor(process.argv[2], process.argv[3] ?? '');
  process.stdout.write(`front door at ${await http.listen({ host: '127.0.0.1', port: 0 })}\n`);
}
