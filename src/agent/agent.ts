/**
 * A live agent process behind a port. `claude/` implements it with the Claude Agent SDK; tests that need volume or
 * misbehaviour run a scripted executable through the same implementation.
 */
import type { AgentId, ConversationKey, EntryId, Fence, Instant, SessionId } from '../base/terms.ts';

/** Everything that an agent is started with. Two equal specs serve each other's conversations (see `fingerprint`). */
export type AgentSpec = {
  /** Undefined: the SDK's default. */
  readonly model?: string | undefined;
  readonly systemPrompt: string;
  /** Built-in tools that exist for this agent; Bash is left out where this host has no sandbox for it. */
  readonly builtinTools: readonly string[];
  /** External MCP servers by name, as the SDK takes them. */
  readonly mcpServers: Readonly<Record<string, unknown>>;
  readonly thinkingBudgetTokens?: number | undefined;
  /** Most tool round trips in one turn. */
  readonly maxSteps: number;
  /**
   * Most that a turn may cost, in US dollars; one that goes over it ends as a `budget` limit. The SDK counts what the
   * process spent in all, so a process that has used up half of it is closed after its turn: that much is left to each.
   */
  readonly maxBudgetUsd?: number | undefined;
  /** The bot file's own additions to the environment, after the allow-list. */
  readonly env: Readonly<Record<string, string>>;
  /** Which endpoint and credential it talks to. */
  readonly endpoint: ModelEndpoint;
};

/** The Anthropic variables of one endpoint; nothing else of the server's environment reaches the agent. */
export type ModelEndpoint = {
  readonly name: 'primary' | 'fallback' | 'offline';
  readonly env: Readonly<Record<string, string>>;
  /** How often a process asks it again before it gives up a turn; undefined: as often as it asks any. */
  readonly retries?: number | undefined;
};

/** What the agent's transcript starts from. */
export type TranscriptStart =
  | { readonly kind: 'new'; readonly sessionId: SessionId }
  /** Resumes at `at` (the settled entry): what came after it never happened. */
  | { readonly kind: 'resume'; readonly sessionId: SessionId; readonly at: EntryId }
  /** A new session that remembers what `from` did up to `at`; `from` itself is not touched. */
  | {
      readonly kind: 'fork';
      readonly sessionId: SessionId;
      readonly from: SessionId;
      readonly at: EntryId;
    };

export type AgentStartRequest = {
  readonly conversation: ConversationKey;
  readonly spec: AgentSpec;
  readonly transcript: TranscriptStart;
  /** The conversation's working directory; made when missing. */
  readonly workspace: string;
  /** Starts are admitted in this order: a waiting turn, then a rewarming (a spare comes last). */
  readonly priority: 'turn' | 'rewarm';
};

export type Prompt = {
  readonly text: string;
  /** Fresh for every attempt: a repeated one after a resume yields no result. */
  readonly id: EntryId;
  /** The turn's fence; transcript entries of the turn are refused once it is stale. */
  readonly fence: Fence;
};

/** Tokens and cost of one attempt: differences of the SDK's cumulative figures. */
export type Usage = {
  readonly costUsd: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
};

/** How a turn ended, as the process reported it; `died` and `stuck` when it reported nothing. */
export type AgentEnd =
  | { readonly kind: 'answered'; readonly text: string }
  /** Steps or budget used up; `text` is what there is. */
  | { readonly kind: 'limit'; readonly limit: 'steps' | 'budget'; readonly text: string }
  | { readonly kind: 'interrupted'; readonly text: string }
  /** 401, 403, 429, 5xx, dropped connections: `status` null when there was none. Its text is never a reply. */
  | {
      readonly kind: 'api-error';
      readonly status: number | null;
      readonly retryAfterMs: number | null;
      readonly detail: string;
    }
  /** Resume found nothing; nothing was asked of the model. */
  | { readonly kind: 'no-transcript'; readonly detail: string }
  /** `text` is what it had said by then. */
  | { readonly kind: 'died'; readonly detail: string; readonly text: string };

export type AgentEvent =
  | { readonly kind: 'text-delta'; readonly text: string }
  | { readonly kind: 'tool-started'; readonly toolUseId: string; readonly name: string }
  | { readonly kind: 'tool-finished'; readonly toolUseId: string; readonly failed: boolean }
  /** The process asks the endpoint again by itself, after `delayMs`. */
  | {
      readonly kind: 'api-retry';
      readonly attempt: number;
      readonly status: number | null;
      readonly delayMs: number;
    }
  /** It is at work without text: thinking, or writing a tool call. Says to a watchdog that it is not stuck. */
  | { readonly kind: 'activity' }
  /** Entries of this turn did not reach the store; logged and counted already. */
  | { readonly kind: 'memory-at-risk'; readonly detail: string }
  /** Always the last event, exactly once. */
  | {
      readonly kind: 'ended';
      readonly end: AgentEnd;
      /** Of a process that died in the turn: the tokens that it had reported, at no cost. */
      readonly usage: Usage;
      /** What this process has spent in all; every process counts from zero. */
      readonly cumulative: Usage;
      /** The id that the latest message carried: store this one. */
      readonly sessionId: SessionId;
      /** Tokens that the conversation fills the model's context with, as of its last request; null when unknown. */
      readonly contextTokens: number | null;
      /** The last entry of the turn in the transcript store; null when none arrived. */
      readonly lastEntry: EntryId | null;
    };

export type Agent = {
  readonly id: AgentId;
  readonly pid: number;
  readonly start: 'resumed' | 'new' | 'spare';
  /** False once the process has exited or `close` was called. An agent that exits by itself is closed by itself. */
  readonly alive: boolean;
  /**
   * One turn. Never throws: a dead process is an `ended` event. One at a time. All entries of the turn are in the
   * transcript store when `ended` comes. Whoever stops listening before that ends the agent.
   */
  send(prompt: Prompt): AsyncIterable<AgentEvent>;
  /** Asks the running turn to end; the turn's `ended` follows. Harmless without one. */
  interrupt(): Promise<void>;
  /** Shortens what the session remembers, between turns. Never throws. The session id stays, or is told. */
  compact(fence: Fence): Promise<Compaction>;
  /** Ends the process and its whole family (close, TERM, KILL), deletes its home; resolves when no member is left. */
  close(): Promise<void>;
};

/** `lastEntry`: where the session goes on from; null when nothing reached the store, which counts as failed. */
export type Compaction = {
  readonly kind: 'compacted' | 'failed';
  readonly usage: Usage;
  readonly sessionId: SessionId;
  readonly lastEntry: EntryId | null;
  /** Tokens before and after; null when the process did not say. */
  readonly tokens: { readonly before: number; readonly after: number } | null;
};

/** One line per live family, for stats. Memory is PSS on Linux and RSS elsewhere, at most five seconds old. */
export type AgentCensus = {
  readonly id: AgentId;
  readonly pid: number;
  /** Null: a spare. */
  readonly conversation: ConversationKey | null;
  readonly startedAt: Instant;
  readonly rssMb: number | null;
};

export type Agents = {
  /** Starts a process; at most the admitted number start at once, by priority. Rejects with `AgentStartFailed`. */
  start(request: AgentStartRequest): Promise<Agent>;
  /**
   * The id for a new session with this spec: that of a spare, which is then kept a minute for the `start` that brings
   * the id, or a fresh one. A process chooses the id of its session when it starts, so that a spare has one already.
   */
  nextSessionId(spec: AgentSpec): SessionId;
  /**
   * The spares to keep ready from now on: one process for each spec, started when nothing else waits, replaced when it
   * is claimed or dies, ended when its spec is no longer listed. `start` of a new session claims the one whose id it
   * brings (see `nextSessionId`), and starts plainly, under the same id, when the claim is refused.
   */
  keepSpares(specs: readonly AgentSpec[]): void;
  census(): Promise<readonly AgentCensus[]>;
  /** Ends every family of this data folder that no live agent of this server owns, and deletes their homes: what a killed server left behind. */
  reap(): Promise<{ readonly families: number; readonly processes: number }>;
  /** Ends all agents at once. */
  closeAll(): Promise<void>;
};

/**
 * The process did not come up; its message is for the log, never for a room. `no-transcript`: there was nothing to
 * resume, or not at the settled entry, so that the turn may start cold. `no-process`: the system started none, whatever
 * it was to resume; nothing is known against that.
 */
export class AgentStartFailed extends Error {
  readonly reason: 'no-transcript' | 'no-process' | 'failed';

  constructor(reason: AgentStartFailed['reason'], detail: string, options?: ErrorOptions) {
    super(`the agent process did not start: ${detail}`, options);
    this.name = 'AgentStartFailed';
    this.reason = reason;
  }
}

/** One line of a transcript; opaque but for these. */
export type TranscriptEntry = {
  readonly type: string;
  readonly uuid?: string;
  readonly [field: string]: unknown;
};

/** Where transcripts live: our backend of the SDK's `SessionStore`. `subpath` null is the main transcript. */
export type TranscriptStore = {
  /** In order; an entry whose uuid is there already is skipped. Throws `LeaseLost` when the fence is stale. */
  append(
    owner: TranscriptOwner,
    sessionId: SessionId,
    subpath: string | null,
    entries: readonly TranscriptEntry[],
  ): Promise<void>;
  /** All entries in order; null when the session was never written. */
  load(sessionId: SessionId, subpath: string | null): Promise<readonly TranscriptEntry[] | null>;
  subpaths(sessionId: SessionId): Promise<readonly string[]>;
  /**
   * Entries of the main transcript after `entry` (null: all of them), in order; null when the session, or that entry
   * in it, is not there. Reads no more than what it returns.
   */
  after(sessionId: SessionId, entry: EntryId | null): Promise<readonly TranscriptEntry[] | null>;
  delete(sessionId: SessionId): Promise<void>;
};
export type TranscriptOwner = { readonly conversation: ConversationKey; readonly fence: Fence };

/** The registry of agent processes: what each was doing, for whoever comes after a crash. */
export type AgentRegistry = {
  started(agent: {
    readonly id: AgentId;
    readonly pid: number;
    readonly conversation: ConversationKey;
    readonly sessionId: SessionId;
  }): Promise<void>;
  ended(id: AgentId): Promise<void>;
};

export {
  type AnswerLimits,
  type CollectedAnswer,
  collectAnswer,
  type Interruption,
} from './collect-answer.ts';
export { isEndpointFault, isSessionFault } from './decide-fault.ts';
export { type Families, makeFamilies } from './families.ts';
export { lowerPriority } from './lower-priority.ts';
export { type AgentProbe, FORGETFUL, probeAgent, toProbeSpec } from './probe-agent.ts';
export { probeSandbox, type SandboxProbe } from './probe-sandbox.ts';
export { AGENT_MARK, OWNER_MARK, systemProcessTable } from './process-table.ts';
