import { describe, expect, it } from 'vitest';
import type { AgentSpec } from './agent.ts';
import { decideRest, decideSpare, isSameSpec, type SpareFacts, type SpareLoss } from './decide-spare.ts';

describe('decideSpare', () => {
  it.each<[SpareFacts, object]>([
    [{ kind: 'empty', notBefore: 100 }, { kind: 'start' }],
    [
      { kind: 'empty', notBefore: 101 },
      { kind: 'look-again', at: 101 },
    ],
    [{ kind: 'starting' }, { kind: 'leave' }],
    [{ kind: 'ready' }, { kind: 'leave' }],
    [
      { kind: 'promised', until: 101 },
      { kind: 'look-again', at: 101 },
    ],
    [{ kind: 'promised', until: 100 }, { kind: 'end' }],
  ])('%j at 100: %j', (facts, decision) => {
    expect(decideSpare(facts, 100)).toEqual(decision);
  });
});

describe('decideRest', () => {
  it.each<[SpareLoss, number, object]>([
    [{ kind: 'claimed' }, 5, { failures: 0, delayMs: 3_000 }],
    [{ kind: 'lapsed' }, 5, { failures: 5, delayMs: 0 }],
    [{ kind: 'not-started' }, 0, { failures: 1, delayMs: 1_000 }],
    [{ kind: 'not-started' }, 3, { failures: 4, delayMs: 8_000 }],
    [{ kind: 'refused' }, 1, { failures: 2, delayMs: 2_000 }],
    [{ kind: 'died', livedMs: 59_999 }, 1, { failures: 2, delayMs: 2_000 }],
    [{ kind: 'died', livedMs: 60_000 }, 7, { failures: 1, delayMs: 1_000 }],
    [{ kind: 'died', livedMs: 0 }, 50, { failures: 51, delayMs: 300_000 }],
  ])('%j after %i in a row: %j', (loss, failures, rest) => {
    expect(decideRest(loss, failures, () => 1)).toEqual(rest);
  });
});

describe('isSameSpec', () => {
  const spec: AgentSpec = {
    systemPrompt: 'You are a bot.',
    builtinTools: ['Read'],
    mcpServers: { a: { command: 'a', args: ['x'] } },
    maxSteps: 1,
    env: { A: '1', B: '2' },
    endpoint: { name: 'offline', env: {} },
  };
  it.each<[string, AgentSpec, boolean]>([
    ['another order of fields', { ...spec, env: { B: '2', A: '1' } }, true],
    ['a model that is left out', { ...spec, model: undefined }, true],
    ['a model', { ...spec, model: 'm' }, false],
    ['another tool', { ...spec, builtinTools: ['Read', 'Write'] }, false],
    ['another server', { ...spec, mcpServers: { a: { command: 'a', args: ['y'] } } }, false],
    ['another endpoint', { ...spec, endpoint: { name: 'offline', env: { KEY: 'other' } } }, false],
  ])('%s: %s', (_name, other, same) => {
    expect(isSameSpec(spec, other)).toBe(same);
  });
});
