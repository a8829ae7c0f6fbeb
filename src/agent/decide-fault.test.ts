import { describe, expect, it } from 'vitest';
import type { AgentEnd } from './agent.ts';
import { isEndpointFault, isSessionFault } from './decide-fault.ts';

describe('a turn that went wrong', () => {
  const trouble: AgentEnd = { kind: 'api-error', status: 401, retryAfterMs: null, detail: 'refused' };

  it.each([null, 401, 403, 429, 500, 529])('blames the endpoint for %s', (status) => {
    expect(isEndpointFault({ ...trouble, status })).toBe(true);
  });

  it.each([400, 413])('blames what it was asked for %s', (status) => {
    expect(isEndpointFault({ ...trouble, status })).toBe(false);
  });

  it('blames the session when the process died without a word, or the endpoint takes its messages for wrong', () => {
    const died: AgentEnd = { kind: 'died', detail: '', text: '' };
    expect([isSessionFault(died, false), isSessionFault(died, true)]).toEqual([true, false]);
    expect(isSessionFault({ ...trouble, status: 400 }, true)).toBe(true);
    expect(isSessionFault(trouble, true)).toBe(false);
  });
});
