import { describe, expect, it } from 'vitest';
import { makeStartGate, nextInLine, type StartPriority } from './start-gate.ts';

describe('nextInLine', () => {
  it.each<[readonly StartPriority[], number]>([
    [[], -1],
    [['spare'], 0],
    [['rewarm', 'turn'], 1],
    [['spare', 'rewarm', 'turn', 'turn'], 2],
    [['spare', 'rewarm', 'rewarm'], 1],
    [['spare', 'spare'], 0],
    [['turn', 'spare', 'turn'], 0],
  ])('%j: %i', (waiting, place) => {
    expect(nextInLine(waiting)).toBe(place);
  });
});

/** Work that runs until its door is opened, or broken down. */
function makeHouse(gate: ReturnType<typeof makeStartGate>) {
  const log: string[] = [];
  const doors = new Map<string, { resolve(): void; reject(error: Error): void }>();
  const enter = (name: string, priority: StartPriority = 'turn') =>
    gate
      .run(priority, () => {
        log.push(name);
        return new Promise<void>((resolve, reject) => doors.set(name, { resolve, reject }));
      })
      .catch((error: Error) => error.message);
  const leave = async (name: string, error?: Error) => {
    if (error === undefined) doors.get(name)?.resolve();
    else doors.get(name)?.reject(error);
    await new Promise(setImmediate);
  };
  return { log, enter, leave };
}

describe('the start gate', () => {
  it('lets so many in at once and the others in the order in which they came, failures included', async () => {
    const { log, enter, leave } = makeHouse(makeStartGate(2));
    const all = ['a', 'b', 'c', 'd'].map((name) => enter(name));
    await Promise.resolve();
    expect(log).toEqual(['a', 'b']);
    await leave('b', new Error('b failed'));
    expect(log).toEqual(['a', 'b', 'c']);
    for (const name of ['a', 'c', 'd']) await leave(name);
    expect(await Promise.all(all)).toEqual([undefined, 'b failed', undefined, undefined]);
    expect(log).toEqual(['a', 'b', 'c', 'd']);
  });

  it('lets no turn wait behind what is started ahead of need', async () => {
    const { log, enter, leave } = makeHouse(makeStartGate(1));
    const all = [enter('first', 'spare'), enter('spare', 'spare'), enter('rewarm', 'rewarm')];
    all.push(enter('turn'), enter('second turn'));
    await Promise.resolve();
    for (const name of ['first', 'turn', 'second turn', 'rewarm', 'spare']) await leave(name);
    await Promise.all(all);
    expect(log).toEqual(['first', 'turn', 'second turn', 'rewarm', 'spare']);
  });
});
