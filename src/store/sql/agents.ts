import type { AgentRegistry } from '../../agent/agent.ts';
import type { Clock } from '../../base/clock.ts';
import type { AgentId, ConversationKey, Instant, SessionId } from '../../base/terms.ts';
import type { Database, Tx } from '../database.ts';

/** An agent process that a killed server left behind, and what it was doing. */
export type LeftAgent = {
  readonly id: AgentId;
  readonly pid: number;
  readonly conversation: ConversationKey;
  readonly sessionId: SessionId;
  readonly startedAt: Instant;
};

export function makeAgentRegistry(database: Database, clock: Clock): AgentRegistry {
  return {
    async started(agent) {
      const row = {
        agent_id: agent.id,
        pid: agent.pid,
        conversation: agent.conversation,
        session_id: agent.sessionId,
        started_at: clock.now(),
      };
      await database.write((trx) => trx.insertInto('agents').values(row).execute());
    },

    async ended(id) {
      await database.write((trx) => trx.deleteFrom('agents').where('agent_id', '=', id).execute());
    },
  };
}

/** Takes every agent out of the registry. Only for the one server of a database, before it starts its first. */
export async function takeLeftAgents(trx: Tx): Promise<readonly LeftAgent[]> {
  const rows = await trx.deleteFrom('agents').returningAll().execute();
  return rows.map((row) => ({
    id: row.agent_id,
    pid: row.pid,
    conversation: row.conversation,
    sessionId: row.session_id,
    startedAt: row.started_at,
  }));
}
