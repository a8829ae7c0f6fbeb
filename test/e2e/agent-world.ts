/** Real Claude processes on the offline model, with transcripts in memory and a folder of their own. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type {
  Agent,
  AgentEvent,
  AgentRegistry,
  AgentSpec,
  Agents,
  TranscriptStart,
} from '../../src/agent/agent.ts';
import { type ClaudeAgentsDeps, makeClaudeAgents } from '../../src/agent/claude/claude.ts';
import { type OfflineModel, startOfflineModel } from '../../src/agent/offline/offline-model.ts';
import { systemClock } from '../../src/base/clock.ts';
import { toConversationKey } from '../../src/base/conversation.ts';
import { newEntryId } from '../../src/base/ids.ts';
import {
  type AgentId,
  BUILTIN_CHAT,
  botId,
  type ConversationKey,
  type EntryId,
  type Fence,
  roomId,
  type SessionId,
} from '../../src/base/terms.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { makeMetrics } from '../../src/telemetry/metrics.ts';
import { type MemoryTranscripts, makeMemoryTranscripts } from '../fixtures/memory-transcripts.ts';
import { makeTempFolder } from '../setup/temp.ts';

export type Ended = Extract<AgentEvent, { kind: 'ended' }>;
/** A turn that was read to its end. */
export type RunTurn = { readonly events: readonly AgentEvent[]; readonly ended: Ended };

export type World = {
  readonly model: OfflineModel;
  readonly agents: Agents;
  readonly transcripts: MemoryTranscripts;
  readonly registry: AgentRegistry & { readonly running: ReadonlySet<AgentId> };
  readonly dataDir: string;
  readonly workspace: string;
  readonly ownerId: string;
  /** What agents are started with, unless a test says otherwise. */
  specWith(spec?: Partial<AgentSpec>): AgentSpec;
  start(transcript: TranscriptStart, spec?: Partial<AgentSpec>, place?: Place): Promise<Agent>;
  /** Under the id that the agents choose, so that a spare is claimed where there is one. */
  startNew(spec?: Partial<AgentSpec>, place?: Place): Promise<Agent & { readonly sessionId: SessionId }>;
};
/** Of another conversation than the one that most tests make do with. */
export type Place = { readonly conversation: ConversationKey; readonly workspace: string };

const conversation = toConversationKey({
  chat: BUILTIN_CHAT,
  roomId: roomId(1),
  botId: botId('bot'),
  userId: null,
});
const fence = (value: number) => value as number as Fence;

/** Everything ends with the test. */
export async function makeWorld(deps: Partial<ClaudeAgentsDeps> = {}): Promise<World> {
  const dataDir = makeTempFolder();
  const workspace = join(dataDir, 'workspaces', 'bot', '1');
  const ownerId = `owner of ${dataDir}`;
  const model = await startOfflineModel({ recordRequests: 50 });
  const transcripts = makeMemoryTranscripts();
  const registry = makeMemoryRegistry();
  const agents = makeClaudeAgents({
    homes: join(dataDir, 'agents'),
    ownerId,
    transcripts,
    registry,
    clock: systemClock,
    log: makeLog({ level: 'fatal', pretty: false }),
    metrics: makeMetrics(),
    baseEnv: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8' },
    startsAtOnce: 2,
    apiRetries: 1,
    ...deps,
  });
  onTestFinished(async () => {
    await agents.closeAll();
    await model.close();
  });

  const specWith: World['specWith'] = (spec = {}) => ({ ...PLAIN, endpoint: model.endpoint, ...spec });
  const start: World['start'] = (transcript, spec, place = { conversation, workspace }) =>
    agents.start({ ...place, spec: specWith(spec), transcript, priority: 'turn' });
  return {
    model,
    agents,
    transcripts,
    registry,
    dataDir,
    workspace,
    ownerId,
    specWith,
    start,
    async startNew(spec, place) {
      const sessionId = agents.nextSessionId(specWith(spec));
      const agent = await start({ kind: 'new', sessionId }, spec, place);
      return Object.defineProperty(agent, 'sessionId', { value: sessionId }) as Agent & {
        sessionId: SessionId;
      };
    },
  };
}

const PLAIN: Omit<AgentSpec, 'endpoint'> = {
  systemPrompt: 'You are a bot.',
  builtinTools: ['Read', 'Write', 'Glob', 'Grep', 'WebFetch', 'Bash'],
  mcpServers: {},
  maxSteps: 10,
  env: {},
};

/** Sends a message and reads the turn to its end. */
export async function say(
  agent: Agent,
  text: string,
  options: { readonly fence?: number; readonly onEvent?: (event: AgentEvent) => void } = {},
): Promise<RunTurn> {
  const events: AgentEvent[] = [];
  for await (const event of agent.send({ text, id: newEntryId(), fence: fence(options.fence ?? 1) })) {
    events.push(event);
    options.onEvent?.(event);
  }
  const ended = events.at(-1);
  if (ended?.kind !== 'ended') throw new Error('a turn ended without saying so');
  return { events, ended };
}

/** What the agent answered; fails when it did not. */
export async function answerTo(agent: Agent, text: string): Promise<string> {
  const { ended } = await say(agent, text);
  if (ended.end.kind !== 'answered') throw new Error(`no answer: ${JSON.stringify(ended.end)}`);
  return ended.end.text;
}

export function lastEntryOf({ ended }: RunTurn): EntryId {
  if (ended.lastEntry === null) throw new Error('the turn left no entry');
  return ended.lastEntry;
}

function makeMemoryRegistry(): World['registry'] {
  const running = new Set<AgentId>();
  return {
    running,
    async started({ id }) {
      running.add(id);
    },
    async ended(id) {
      running.delete(id);
    },
  };
}
