/** What the agents make of a process that misbehaves in every way that we know of. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AgentSpec } from '../../src/agent/agent.ts';
import { makeFamilies } from '../../src/agent/families.ts';
import { systemProcessTable } from '../../src/agent/process-table.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type Beginning, SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { answerTo, lastEntryOf, makeWorld, say } from './agent-world.ts';

const table = systemProcessTable(process.platform);
const families = makeFamilies({ table, clock: systemClock, self: process.pid });
const makeScripted = (deps: Parameters<typeof makeWorld>[0] = {}) =>
  makeWorld({ executable: SCRIPTED_AGENT, ...deps });
const thatBegins = (SCRIPTED_AGENT: Beginning): Partial<AgentSpec> => ({ env: { SCRIPTED_AGENT } });

describe('an agent that', () => {
  it('minds neither an interrupt nor TERM ends with all that it started, wherever that went', async () => {
    const { startNew, dataDir } = await makeScripted();
    const file = join(makeTempFolder(), 'signs-of-life');
    const agent = await startNew();
    const turn = say(agent, `hold on and write to ${file}, then stay silent`);
    while (!existsSync(file)) await new Promise(setImmediate);
    await agent.interrupt();
    const members = async () => (await table.rows()).filter((row) => row.agent === agent.id);
    expect((await members()).length).toBeGreaterThanOrEqual(2);
    await agent.close();
    expect((await turn).ended.end.kind).toBe('died');
    expect(await members()).toEqual([]);
    expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
    const written = readFileSync(file, 'utf8').length;
    await systemClock.sleep(250);
    expect(readFileSync(file, 'utf8')).toHaveLength(written);
  });

  it('minds nothing any more is ended between turns too', async () => {
    const { startNew } = await makeScripted();
    const file = join(makeTempFolder(), 'signs-of-life');
    const agent = await startNew();
    await answerTo(agent, `hold on and write to ${file}`);
    await agent.close();
    expect((await table.rows()).filter((row) => row.agent === agent.id)).toEqual([]);
  });

  it.each([
    ['die at once', ''],
    ['die midway', 'I was about to say '],
  ])(
    'is told to %s has died in its turn, and a resume goes on as if it had not been',
    async (wish, heard) => {
      const { startNew, start } = await makeScripted();
      const agent = await startNew();
      const settled = await say(agent, 'my cat is Momo');
      const { events, ended } = await say(agent, wish);
      expect(events.flatMap((event) => (event.kind === 'text-delta' ? [event.text] : [])).join('')).toBe(
        heard,
      );
      expect(ended.end).toEqual({ kind: 'died', detail: expect.stringContaining('code 1'), text: heard });
      expect(agent.alive).toBe(false);
      await agent.close();
      const resumed = await start({ kind: 'resume', sessionId: agent.sessionId, at: lastEntryOf(settled) });
      expect(await answerTo(resumed, 'who is my cat?')).toContain('message 2 of this conversation');
    },
  );

  it('stays silent is interrupted', async () => {
    const { startNew } = await makeScripted();
    const agent = await startNew();
    const turn = say(agent, 'stay silent');
    await agent.interrupt();
    expect((await turn).ended.end).toEqual({ kind: 'interrupted', text: '' });
  });

  it('writes garbage is understood where it makes sense', async () => {
    const { startNew } = await makeScripted();
    const agent = await startNew(thatBegins('garbage-at-start'));
    expect(await answerTo(agent, 'write garbage')).toContain('You said: “write garbage”');
    expect(await answerTo(agent, 'and now?')).toContain('message 2 of this conversation');
  });

  it('works with a tool says so, and ends it when it is interrupted', async () => {
    const { startNew } = await makeScripted();
    const agent = await startNew();
    const { events, ended } = await say(agent, 'use a tool for 100 seconds', {
      onEvent: ({ kind }) => void (kind === 'tool-started' && agent.interrupt()),
    });
    expect(events.filter(({ kind }) => kind.startsWith('tool-'))).toMatchObject([
      { kind: 'tool-started', name: 'Wait' },
      { kind: 'tool-finished', failed: true },
    ]);
    expect(ended.end.kind).toBe('interrupted');
  });

  it('grows is seen to', async () => {
    const { startNew } = await makeScripted();
    const agent = await startNew();
    const sizeOf = async () => (await families.memoryMb([agent.id])).get(agent.id) ?? 0;
    const before = await sizeOf();
    await answerTo(agent, 'grow by 100 MB');
    expect(await sizeOf()).toBeGreaterThan(before + 90);
  });

  it('has an endpoint in trouble says with which status', async () => {
    const { startNew } = await makeScripted();
    const agent = await startNew();
    expect((await say(agent, 'fail with 529')).ended.end).toMatchObject({ kind: 'api-error', status: 529 });
    expect(agent.alive).toBe(true);
  });

  it('does several things does them in the order of the message', async () => {
    const { startNew } = await makeScripted();
    const { events, ended } = await say(await startNew(), 'use a tool for 0.01 seconds, then die midway');
    expect(events.map(({ kind }) => kind).filter((kind) => kind !== 'activity')).toEqual([
      'tool-started',
      'tool-finished',
      'text-delta',
      'ended',
    ]);
    expect(ended.usage.outputTokens).toBe(0);
  });
});

describe('a start of an agent that', () => {
  it.each<[Beginning, string]>([
    ['dies-at-start', 'it was told to die at its start'],
    ['silent-at-start', 'no answer within 1000 ms'],
  ])('%s fails and leaves nothing', async (beginning, detail) => {
    const { startNew, dataDir } = await makeScripted({ startLimitMs: 1_000 });
    await expect(startNew(thatBegins(beginning))).rejects.toMatchObject({
      reason: 'failed',
      message: expect.stringContaining(detail),
    });
    expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
  });

  it.each<[Beginning, string]>([
    ['dies-on-resume', 'failed'],
    ['lost-on-resume', 'no-transcript'],
  ])('%s fails then', async (beginning, reason) => {
    const { startNew, start } = await makeScripted();
    const agent = await startNew(thatBegins(beginning));
    const at = lastEntryOf(await say(agent, 'hello'));
    await agent.close();
    const resume = { kind: 'resume', sessionId: agent.sessionId, at } as const;
    await expect(start(resume, thatBegins(beginning))).rejects.toMatchObject({ reason });
    expect((await start(resume)).start).toBe('resumed');
  });

  it.each<Beginning>(['refuses-claim', 'ignores-claim'])(
    'is a spare that %s goes on plainly',
    async (beginning) => {
      const world = await makeScripted({ claimLimitMs: 500 });
      const spec = thatBegins(beginning);
      world.agents.keepSpares([world.specWith(spec)]);
      while ((await world.agents.census()).length === 0) await new Promise(setImmediate);
      const agent = await world.startNew(spec);
      expect(agent.start).toBe('new');
      expect((await say(agent, 'hello')).ended).toMatchObject({
        end: { kind: 'answered' },
        sessionId: agent.sessionId,
      });
    },
  );
});
