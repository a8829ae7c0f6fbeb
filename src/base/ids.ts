import { randomUUID } from 'node:crypto';
import type { AgentId, EntryId, SessionId } from './terms.ts';

export function newSessionId(): SessionId {
  return randomUUID() as string as SessionId;
}
export function newEntryId(): EntryId {
  return randomUUID() as string as EntryId;
}
export function newAgentId(): AgentId {
  return randomUUID() as string as AgentId;
}
