import { expect, it } from 'vitest';
import { makeStartGate } from './start-gate.ts';

it('lets so many in at once and the others in the order in which they came, failures included', async () => {
  const gate = makeStartGate(2);
  const log: string[] = [];
  const doors: (() => void)[] = [];
  const work = (name: string) => () => {
    log.push(name);
    return new Promise<void>((resolve, reject) =>
      doors.push(name === 'b' ? () => reject(new Error('b failed')) : resolve),
    );
  };
  const all = ['a', 'b', 'c', 'd'].map((name) => gate.run(work(name)).catch((error: Error) => error.message));
  await Promise.resolve();
  expect(log).toEqual(['a', 'b']);
  doors[1]?.();
  await all[1];
  await new Promise(setImmediate);
  expect(log).toEqual(['a', 'b', 'c']);
  doors[0]?.();
  doors[2]?.();
  await new Promise(setImmediate);
  doors[3]?.();
  expect(await Promise.all(all)).toEqual([undefined, 'b failed', undefined, undefined]);
  expect(log).toEqual(['a', 'b', 'c', 'd']);
});
