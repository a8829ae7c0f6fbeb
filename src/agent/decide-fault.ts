import type { AgentEnd } from './agent.ts';

/** Whether the endpoint is to blame for an API error, and not what it was asked. */
export function isEndpointFault(end: AgentEnd): boolean {
  if (end.kind !== 'api-error') return false;
  return end.status === null || end.status >= 500 || [401, 403, 404, 408, 429].includes(end.status);
}

/** Whether the session may be to blame: its process died before it said a word, or the endpoint refuses what it holds. */
export function isSessionFault(end: AgentEnd, wasHeard: boolean): boolean {
  return (end.kind === 'died' && !wasHeard) || (end.kind === 'api-error' && end.status === 400);
}
