import { describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { makeHealth, type ReadinessCheck } from './health.ts';

describe('readiness', () => {
  it('is given when no check has a reason against it', async () => {
    expect(await ask({ database: async () => null })).toEqual({ ready: true, reasons: [] });
  });

  it('names every reason', async () => {
    const checks = {
      database: async () => 'the database is locked',
      drain: async () => 'the server is draining',
    };
    expect(await ask(checks)).toEqual({
      ready: false,
      reasons: ['the database is locked', 'the server is draining'],
    });
  });

  it('tells nothing of an error but whose it is', async () => {
    const checks = { database: () => Promise.reject(new Error('postgres://user:secret@db')) };
    expect(await ask(checks)).toEqual({ ready: false, reasons: ['database fails'] });
  });

  it('does not wait for a check that does not answer', async () => {
    const clock = makeFakeClock();
    const health = makeHealth({ version: '1', clock, checks: { agent: () => new Promise(() => {}) } });
    const readiness = health.readiness();
    await clock.advance(2_000);
    expect(await readiness).toEqual({ ready: false, reasons: ['agent does not answer'] });
    expect(clock.pending()).toBe(0);
  });

  it('is asked of the parts once a second, however often it is asked for', async () => {
    const clock = makeFakeClock();
    let asked = 0;
    const checks = {
      database: async () => {
        asked += 1;
        return null;
      },
    };
    const health = makeHealth({ version: '1', clock, checks });
    await Promise.all([health.readiness(), health.readiness()]);
    await clock.advance(999);
    await health.readiness();
    expect(asked).toBe(1);
    await clock.advance(1);
    await health.readiness();
    expect(asked).toBe(2);
  });
});

it('health is the time since the start, and asks nobody', async () => {
  const clock = makeFakeClock();
  const health = makeHealth({
    version: '1.2.3',
    clock,
    checks: { never: () => Promise.reject(new Error()) },
  });
  await clock.advance(1_500);
  expect(health.health()).toEqual({ version: '1.2.3', now: clock.now(), uptimeMs: 1_500 });
});

function ask(checks: Record<string, ReadinessCheck>) {
  return makeHealth({ version: '1', clock: makeFakeClock(), checks }).readiness();
}
