import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AgentCensus, AgentSpec } from '../../src/agent/agent.ts';
import { systemProcessTable } from '../../src/agent/process-table.ts';
import { newSessionId } from '../../src/base/ids.ts';
import type { ConversationKey } from '../../src/base/terms.ts';
import { answerTo, lastEntryOf, makeWorld, say, type World } from './agent-world.ts';

/** The spare of a spec, ready. */
async function makeSpare(world: World, spec: Partial<AgentSpec> = {}): Promise<AgentCensus> {
  world.agents.keepSpares([world.specWith(spec)]);
  return await spareOf(world);
}

async function spareOf({ agents }: World): Promise<AgentCensus> {
  for (;;) {
    const spare = (await agents.census()).find(({ conversation }) => conversation === null);
    if (spare !== undefined) return spare;
    await new Promise(setImmediate);
  }
}

const homesOf = ({ dataDir }: World) => readdirSync(join(dataDir, 'agents'));
const table = systemProcessTable(process.platform);
const membersOf = async (id: string) => (await table.rows()).filter((row) => row.agent === id);

describe('a spare', () => {
  it('serves a new session under the id that it gave, in the workspace of its conversation', async () => {
    const world = await makeWorld();
    const spare = await makeSpare(world);
    expect(getPriority(spare.pid)).toBe(10);
    expect((await membersOf(spare.id)).map(({ pid, owner }) => [pid, owner])).toEqual([
      [spare.pid, world.ownerId],
    ]);
    expect(world.registry.running.size).toBe(0);

    const agent = await world.startNew();
    expect(agent).toMatchObject({ start: 'spare', id: spare.id, pid: spare.pid, alive: true });
    expect([...world.registry.running]).toEqual([spare.id]);
    expect((await world.agents.census()).map(({ conversation }) => conversation)).toEqual(['builtin:1:bot']);
    writeFileSync(join(world.workspace, 'notes.txt'), 'Momo is a cat');
    const { ended } = await say(agent, 'use tool Read with {"file_path":"notes.txt"}');
    expect(ended).toMatchObject({
      end: { kind: 'answered', text: expect.stringContaining('Momo is a cat') },
      sessionId: agent.sessionId,
    });
    expect(world.transcripts.main(agent.sessionId).at(-1)).toMatchObject({ uuid: ended.lastEntry });
  });

  it('leaves a session that resumes as any other, and sends the request that any other sends', async () => {
    const world = await makeWorld();
    await makeSpare(world);
    const first = await world.startNew();
    const turn = await say(first, 'my cat is Momo');
    await first.close();
    const at = lastEntryOf(turn);
    const second = await world.start({ kind: 'resume', sessionId: first.sessionId, at });
    expect(await answerTo(second, 'who is my cat?')).toContain('1. “my cat is Momo”');
    const plain = await world.start({ kind: 'new', sessionId: newSessionId() });
    expect(plain.start).toBe('new');
    await say(plain, 'hello');
    const [ofSpare, , ofPlain] = world.model
      .requests()
      .map(({ system, tools }) => JSON.stringify({ system, tools }).replace(/cc_version=[^;]*/, ''));
    expect(ofSpare).toBe(ofPlain);
  });

  it('reads and writes nothing but its workspace: not where it was parked, nor where others are', async () => {
    const world = await makeWorld();
    const other = {
      conversation: 'builtin:2:bot' as ConversationKey,
      workspace: join(world.dataDir, 'other'),
    };
    mkdirSync(other.workspace);
    writeFileSync(join(other.workspace, 'secret.txt'), 'the secret');
    const { id } = await makeSpare(world);
    const [parking] = readdirSync(join(world.dataDir, 'agents', id, 'spares'));
    const agent = await world.startNew();
    expect(agent.start).toBe('spare');
    world.agents.keepSpares([world.specWith({ systemPrompt: 'You are another bot.' })]);
    const neighbour = await spareOf(world);
    const homes = join(world.dataDir, 'agents');
    const itsParking = join(homes, neighbour.id, 'spares');
    const parkedAt = join(itsParking, readdirSync(itsParking)[0] ?? '');
    writeFileSync(join(parkedAt, 'secret.txt'), 'the secret');

    const tries: readonly [string, object][] = [
      ['Read', { file_path: join(other.workspace, 'secret.txt') }],
      ['Read', { file_path: '../../../other/secret.txt' }],
      ['Read', { file_path: join(parkedAt, 'secret.txt') }],
      ['Read', { file_path: join(homes, neighbour.id, '.claude.json') }],
      ['Read', { file_path: join(homes, id, '.claude.json') }],
      ['Read', { file_path: '/etc/passwd' }],
      ['Grep', { pattern: 'the secret', path: world.dataDir, output_mode: 'content' }],
      ['Glob', { pattern: '*', path: parkedAt }],
      ['Write', { file_path: join(parkedAt, 'new.txt'), content: 'x' }],
      ['Write', { file_path: join(homes, id, 'spares', parking ?? '', 'new.txt'), content: 'x' }],
      ['Write', { file_path: join(other.workspace, 'new.txt'), content: 'x' }],
    ];
    for (const [tool, input] of tries) {
      const answer = await answerTo(agent, `use tool ${tool} with ${JSON.stringify(input)}`);
      expect(answer, JSON.stringify(input)).not.toMatch(/the secret(?!s)|root:|userID/);
      expect(answer, JSON.stringify(input)).toMatch(/was refused or failed|No (files|matches) found/);
    }
    for (const folder of [parkedAt, other.workspace]) expect(existsSync(join(folder, 'new.txt'))).toBe(false);
  });

  it('serves nobody with another spec, nor a resume', async () => {
    const world = await makeWorld();
    const spare = await makeSpare(world);
    const other = await world.startNew({ systemPrompt: 'You are another bot.' });
    expect(other.start).toBe('new');
    const turn = await say(other, 'my cat is Momo');
    await other.close();
    const resume = { kind: 'resume', sessionId: other.sessionId, at: lastEntryOf(turn) } as const;
    expect((await world.start(resume)).start).toBe('resumed');
    expect(await spareOf(world)).toMatchObject({ id: spare.id });
  });

  it('goes through its conversation’s workspace whatever settings somebody wrote there', async () => {
    const world = await makeWorld();
    await makeSpare(world);
    mkdirSync(join(world.workspace, '.claude'), { recursive: true });
    writeFileSync(
      join(world.workspace, '.claude', 'settings.json'),
      JSON.stringify({
        env: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' },
        model: 'none',
        permissions: { allow: ['Bash'] },
      }),
    );
    const agent = await world.startNew();
    expect(agent.start).toBe('spare');
    expect(await answerTo(agent, 'hello')).toContain('You said: “hello”');
  });
});

describe('a spare that is lost', () => {
  it('before its claim leaves the start to a plain process, under the same id', async () => {
    const world = await makeWorld();
    const spare = await makeSpare(world);
    const sessionId = world.agents.nextSessionId(world.specWith());
    process.kill(spare.pid, 'SIGKILL');
    const agent = await world.start({ kind: 'new', sessionId });
    expect(agent).toMatchObject({ start: 'new', alive: true });
    expect((await say(agent, 'hello')).ended).toMatchObject({ end: { kind: 'answered' }, sessionId });
    expect(agent.id).not.toBe(spare.id);
    expect(homesOf(world)).not.toContain(spare.id);
  });

  it('leaves no home, and is nobody’s to wait for', async () => {
    const world = await makeWorld();
    const spare = await makeSpare(world);
    process.kill(spare.pid, 'SIGKILL');
    while (homesOf(world).includes(spare.id)) await new Promise(setImmediate);
    expect((await world.startNew()).start).toBe('new');
  });

  it('or no longer wanted ends with its family', async () => {
    const world = await makeWorld();
    const spare = await makeSpare(world);
    world.agents.keepSpares([]);
    expect((await world.agents.census()).length).toBe(0);
    while (homesOf(world).length > 0) await new Promise(setImmediate);
    expect(await membersOf(spare.id)).toEqual([]);
  });

  it('is spared by the reaper, and ends with the server', async () => {
    const world = await makeWorld();
    const spare = await makeSpare(world);
    expect(await world.agents.reap()).toEqual({ families: 0, processes: 0 });
    expect(await membersOf(spare.id)).toHaveLength(1);
    // One more on its way when the server stops.
    world.agents.keepSpares([world.specWith(), world.specWith({ maxSteps: 3 })]);
    await world.agents.closeAll();
    expect(homesOf(world)).toEqual([]);
    expect((await table.rows()).filter(({ owner }) => owner === world.ownerId)).toEqual([]);
    world.agents.keepSpares([world.specWith()]);
    expect(homesOf(world)).toEqual([]);
  });
});
