import { newEntryId, newSessionId } from '../base/ids.ts';
import type { ConversationKey, Fence } from '../base/terms.ts';
import type { Agent, AgentRegistry, AgentSpec, Agents, ModelEndpoint, TranscriptStore } from './agent.ts';

/** What came of one agent that was started, asked one short question, and ended. `detail` never holds a key. */
export type AgentProbe =
  | { readonly kind: 'answered' }
  | { readonly kind: 'not-started'; readonly detail: string }
  | { readonly kind: 'no-answer'; readonly detail: string };

/** Starts an agent as a turn would, in `workspace`, and asks it for a word. */
export async function probeAgent(agents: Agents, spec: AgentSpec, workspace: string): Promise<AgentProbe> {
  const conversation = 'builtin:probe:probe' as ConversationKey;
  const fence = 1 as Fence;
  const transcript = { kind: 'new', sessionId: newSessionId() } as const;
  let agent: Agent;
  try {
    agent = await agents.start({ conversation, spec, transcript, workspace, priority: 'turn' });
  } catch (error) {
    return { kind: 'not-started', detail: error instanceof Error ? error.message : String(error) };
  }
  try {
    for await (const event of agent.send({ text: 'Say: ready', id: newEntryId(), fence })) {
      if (event.kind !== 'ended') continue;
      if (event.end.kind === 'answered') return { kind: 'answered' };
      return { kind: 'no-answer', detail: 'detail' in event.end ? event.end.detail : event.end.kind };
    }
    return { kind: 'no-answer', detail: 'it said nothing' };
  } finally {
    await agent.close();
  }
}

/** For a probe: what it says is of no use to anybody later. */
export const FORGETFUL: { readonly transcripts: TranscriptStore; readonly registry: AgentRegistry } = {
  transcripts: {
    append: async () => {},
    load: async () => null,
    subpaths: async () => [],
    after: async () => null,
    delete: async () => {},
  },
  registry: { started: async () => {}, ended: async () => {} },
};

export function toProbeSpec(endpoint: ModelEndpoint, model: string | undefined): AgentSpec {
  const none = { builtinTools: [], mcpServers: {}, env: {} };
  return { ...none, model, systemPrompt: 'Answer in one word.', maxSteps: 1, endpoint };
}
