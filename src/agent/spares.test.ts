import { expect, it, onTestFinished } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { newSessionId } from '../base/ids.ts';
import type { AgentId } from '../base/terms.ts';
import { makeLog } from '../telemetry/log.ts';
import type { AgentSpec } from './agent.ts';
import { makeSpares, type Spare } from './spares.ts';

type MemorySpare = Spare & { readonly spec: AgentSpec; die(): void; removed: boolean };

const spec = (systemPrompt: string): AgentSpec => ({
  systemPrompt,
  builtinTools: [],
  mcpServers: {},
  maxSteps: 1,
  env: {},
  endpoint: { name: 'offline', env: {} },
});
const A = spec('a');
const B = spec('b');

function makeWorld() {
  const clock = makeFakeClock();
  const started: MemorySpare[] = [];
  const world = { fails: false, gate: Promise.resolve(), outlives: false };
  const warnings: string[] = [];
  const silent = makeLog({ level: 'silent', pretty: false });
  const spares = makeSpares<MemorySpare>({
    clock,
    log: {
      ...silent,
      error: () => {},
      warn: (_facts: object, text?: string) => void warnings.push(`${text}`),
    },
    async start(id, of, isWanted) {
      await world.gate;
      if (world.fails || !isWanted()) throw new Error('no');
      const spare = makeMemorySpare(id, of);
      started.push(spare);
      return spare;
    },
  });
  function makeMemorySpare(id: AgentId, of: AgentSpec): MemorySpare {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    return {
      id,
      pid: 1,
      sessionId: newSessionId(),
      spec: of,
      ended,
      die: resolve,
      removed: false,
      async remove() {
        if (world.outlives) throw new Error('it outlives KILL');
        this.removed = true;
        resolve();
      },
    };
  }
  onTestFinished(async () => {
    world.outlives = false;
    await spares.closeAll();
    expect(clock.pending()).toBe(0);
    expect(spares.ids()).toEqual([]);
  });
  const parked = () => spares.parked().map(({ spare }) => spare.spec.systemPrompt);
  return { clock, spares, started, world, parked, warnings };
}

it('keeps one for each spec that is wanted, and ends those that are not any more', async () => {
  const { clock, spares, started, parked } = makeWorld();
  spares.keep([A, B, spec('a')]);
  await clock.advance(0);
  expect(parked()).toEqual(['a', 'b']);
  spares.keep([spec('b'), spec('c')]);
  await clock.advance(0);
  expect(parked()).toEqual(['b', 'c']);
  expect(started.map(({ removed }) => removed)).toEqual([true, false, false]);
  expect(spares.ids()).toHaveLength(2);
});

it('gives one to whoever was promised it, and starts the next a moment later', async () => {
  const { clock, spares, started, parked } = makeWorld();
  spares.keep([A]);
  expect(spares.promise(A)).toBeNull();
  await clock.advance(0);
  const id = spares.promise(spec('a'));
  expect(id).toBe(started[0]?.sessionId);
  expect(spares.promise(A)).toBeNull();
  expect(spares.take(newSessionId(), A)).toBeNull();
  expect(id && spares.take(id, B)).toBeNull();
  expect(id && spares.take(id, A)).toBe(started[0]);
  expect(id && spares.take(id, A)).toBeNull();
  expect(spares.ids()).toEqual([]);
  await clock.advance(2_999);
  expect(started).toHaveLength(1);
  await clock.advance(1);
  expect(parked()).toEqual(['a']);
  await spares.closeAll();
  expect(started.map(({ removed }) => removed)).toEqual([false, true]);
});

it('gives nobody else an id that was promised: where nobody comes, its process ends', async () => {
  const { clock, spares, started } = makeWorld();
  spares.keep([A]);
  await clock.advance(0);
  const id = spares.promise(A);
  await clock.advance(60_000);
  expect(id && spares.take(id, A)).toBeNull();
  expect(started.map(({ removed }) => removed)).toEqual([true, false]);
  expect(spares.promise(A)).toBe(started[1]?.sessionId);
});

it('replaces those that die, later and later', async () => {
  const { clock, spares, started } = makeWorld();
  spares.keep([A]);
  await clock.advance(0);
  for (let deaths = 1; deaths <= 4; deaths++) {
    started.at(-1)?.die();
    await clock.advance(0);
    expect(spares.parked()).toEqual([]);
    await clock.advance(2 ** (deaths - 1) * 500 - 1);
    expect(started).toHaveLength(deaths);
    await clock.advance(2 ** (deaths - 1) * 500 + 1);
    expect(started).toHaveLength(deaths + 1);
  }
  expect(started.map(({ removed }) => removed)).toEqual([true, true, true, true, false]);
});

it('tries again when one does not start, or was refused', async () => {
  const { clock, spares, started, world } = makeWorld();
  world.fails = true;
  spares.keep([A]);
  await clock.advance(0);
  expect(spares.ids()).toEqual([]);
  world.fails = false;
  await clock.advance(1_000);
  expect(started).toHaveLength(1);
  const id = spares.promise(A);
  if (id !== null) spares.take(id, A);
  spares.refused(A);
  await clock.advance(499);
  expect(started).toHaveLength(1);
  await clock.advance(501);
  expect(started).toHaveLength(2);
});

it('ends one that came up when it was no longer wanted', async () => {
  const { clock, spares, started, world } = makeWorld();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.gate = promise;
  spares.keep([A]);
  spares.keep([]);
  expect(spares.ids()).toHaveLength(1);
  resolve();
  await clock.advance(0);
  expect([started, spares.ids()]).toEqual([[], []]);
});

it('warns of one that died, and not of those that were ended', async () => {
  const { clock, spares, started, warnings } = makeWorld();
  spares.keep([A, B]);
  await clock.advance(0);
  started[0]?.die();
  await clock.advance(0);
  expect(warnings).toEqual(['a spare died']);
  await clock.advance(600_000);
  spares.keep([A]);
  await spares.closeAll();
  await clock.advance(0);
  expect(warnings).toEqual(['a spare died']);
});

it('says when a family does not end', async () => {
  const { clock, spares, world } = makeWorld();
  spares.keep([A]);
  await clock.advance(0);
  world.outlives = true;
  await expect(spares.closeAll()).rejects.toThrow('not every spare ended');
});
