import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeFamilies } from '../../src/agent/families.ts';
import { AGENT_MARK, OWNER_MARK, systemProcessTable } from '../../src/agent/process-table.ts';
import { systemClock } from '../../src/base/clock.ts';
import { newAgentId } from '../../src/base/ids.ts';
import type { AgentId } from '../../src/base/terms.ts';
import { answerTo, makeWorld } from './agent-world.ts';

const PARENT = fileURLToPath(new URL('../fixtures/agent-parent.ts', import.meta.url));
const TROUBLE = fileURLToPath(new URL('../fixtures/trouble.ts', import.meta.url));
const table = systemProcessTable(process.platform);
const families = makeFamilies({ table, clock: systemClock, self: process.pid });

/** A family without a Claude process; the pids of its members. */
async function startTrouble(owner: string, agent: AgentId, manner = 'meek'): Promise<readonly number[]> {
  const child = spawn(process.execPath, [TROUBLE, 'with-bare-child', manner], {
    env: { [OWNER_MARK]: owner, [AGENT_MARK]: agent },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let pids: readonly number[] = [];
  onTestFinished(async () => {
    await families.end([agent]);
    // Without its head nobody knows the bare one.
    for (const pid of await stillThere(pids)) process.kill(pid, 'SIGKILL');
  });
  const [said] = await once(child.stdout, 'data');
  pids = JSON.parse(String(said)) as number[];
  return pids;
}

async function stillThere(pids: readonly number[]): Promise<readonly number[]> {
  const rows = await table.rows();
  return pids.filter((pid) => rows.some((row) => row.pid === pid));
}

describe('a family', () => {
  it.each(['meek', 'stubborn'])('that is %s ends whole, wherever its members went', async (manner) => {
    const agent = newAgentId();
    const pids = await startTrouble('ours', agent, manner);
    expect(await stillThere(pids)).toHaveLength(3);
    expect((await families.memoryMb([agent])).get(agent)).toBeGreaterThan(10);
    expect(await families.end([agent])).toBe(3);
    expect(await stillThere(pids)).toEqual([]);
    expect(await families.end([agent])).toBe(0);
  });

  it('without its head is found by the mark that the others carry', async () => {
    const agent = newAgentId();
    const pids = await startTrouble('ours', agent);
    process.kill(pids[0] ?? 0, 'SIGKILL');
    while ((await stillThere(pids.slice(0, 1))).length > 0) await systemClock.sleep(20);
    await families.end([agent]);
    expect(await stillThere(pids.slice(0, 2))).toEqual([]);
  });
});

describe('a closed agent', () => {
  it('leaves neither a member of its family nor a home', async () => {
    const { startNew, dataDir, registry } = await makeWorld();
    const agent = await startNew({
      mcpServers: { trouble: { command: process.execPath, args: [TROUBLE] } },
    });
    const members = async () => (await table.rows()).filter((row) => row.agent === agent.id);
    while ((await members()).length < 3) await systemClock.sleep(20);
    expect(registry.running).toContain(agent.id);
    await agent.close();
    expect(await members()).toEqual([]);
    expect(readdirSync(join(dataDir, 'agents'))).toEqual([]);
    expect(registry.running.size).toBe(0);
  });
});

describe('a live agent', () => {
  it('gives way to the server, and its session with it', async () => {
    const { startNew } = await makeWorld();
    const { pid } = await startNew();
    expect(getPriority(pid)).toBe(10);
    const group = `/proc/${pid}/autogroup`;
    // Where sessions are no groups there is no such file.
    if (existsSync(group)) await expect.poll(() => readFileSync(group, 'utf8')).toContain('nice 10');
  });
});

describe('the reaper', () => {
  it('ends what a killed server left, deletes its homes, and touches nobody else', async () => {
    const world = await makeWorld();
    const parent = spawn(process.execPath, [PARENT, world.dataDir, world.ownerId, world.model.baseUrl], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const members = async () => (await table.rows()).filter((row) => row.owner === world.ownerId);
    while ((await members()).length < 3) await systemClock.sleep(20);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    const [orphan] = await members();
    const foreign = await startTrouble('theirs', newAgentId());
    const ours = await world.startNew();
    expect(orphan?.agent).not.toBe(ours.id);
    expect(readdirSync(join(world.dataDir, 'agents'))).toHaveLength(2);

    const reaped = await world.agents.reap();
    expect(reaped.families).toBe(1);
    expect(reaped.processes).toBeGreaterThanOrEqual(1);
    expect((await members()).filter((row) => row.agent !== ours.id)).toEqual([]);
    expect(await stillThere(foreign)).toEqual(foreign);
    expect(readdirSync(join(world.dataDir, 'agents'))).toEqual([ours.id]);
    expect(await answerTo(ours, 'still there?')).toContain('still there?');
    expect(await world.agents.reap()).toEqual({ families: 0, processes: 0 });
  });

  it('makes the folder of the homes when there is none', async () => {
    const { agents, dataDir } = await makeWorld();
    expect(await agents.reap()).toEqual({ families: 0, processes: 0 });
    expect(existsSync(join(dataDir, 'agents'))).toBe(true);
  });
});
