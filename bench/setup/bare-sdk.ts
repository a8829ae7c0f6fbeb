/**
 * The bare counterpart of a turn: the Agent SDK's `query()` with streaming input, given the same tools, prompt, settings
 * and environment as our agents, and nothing of ours around it. One home for all, as a user has.
 */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Options,
  prewarm,
  type Query,
  query,
  type SDKMessage,
  type SDKUserMessage,
  type SessionStore,
  startup,
} from '@anthropic-ai/claude-agent-sdk';
import type { AgentSpec } from '../../src/agent/agent.ts';
import { toEnvironment } from '../../src/agent/claude/environment.ts';
import { toOptions } from '../../src/agent/claude/options.ts';
import { makePromptQueue, type PromptQueue } from '../../src/agent/claude/prompt-queue.ts';
import { newSessionId } from '../../src/base/ids.ts';
import type { SessionId } from '../../src/base/terms.ts';
import type { Bench } from './run.ts';

/** Milliseconds since the message was pushed, or since `query()` was called where that comes with it. */
export type BareTimes = { readonly firstTextMs: number; readonly endedMs: number };

export type BareAgent = {
  readonly sessionId: SessionId;
  say(text: string): Promise<BareTimes>;
  /** Resolves when the process has ended. */
  close(): Promise<void>;
};

type From = { readonly resume?: SessionId; readonly store?: SessionStore };

/** Where a store is not given the SDK keeps none. */
export type BareSdk = {
  /** `query()`; the times of the first message count from here. */
  start(from?: From): BareAgent;
  /** `prewarm()`; what it resolves with is `claim()`, and the first message's times count from that. */
  prewarm(): Promise<() => BareAgent>;
  /** `startup()`; the first message's times count from the call of what it resolves with. */
  startup(from: From): Promise<() => BareAgent>;
};

export async function makeBareSdk(bench: Pick<Bench, 'folder'>, spec: AgentSpec): Promise<BareSdk> {
  const home = join(bench.folder, 'bare-home');
  const workspace = join(bench.folder, 'bare-workspace');
  await mkdir(join(home, 'tmp'), { recursive: true });
  await mkdir(workspace, { recursive: true });
  const base = { PATH: process.env.PATH ?? '', LANG: 'en_US.UTF-8', TZ: 'UTC' };
  const folders = { home, temporary: join(home, 'tmp') };
  const env = toEnvironment({ base, spec, ...folders, ownerId: 'bare', agentId: 'bare', apiRetries: 3 });

  function prepare({ resume, store }: From) {
    const sessionId = resume ?? newSessionId();
    const options = {
      ...toBareOptions(toOptions(spec, { kind: 'new', sessionId }, null), resume, store),
      env,
    };
    return { sessionId, options, prompts: makePromptQueue() };
  }

  return {
    start(from = {}) {
      const begun = performance.now();
      const { sessionId, options, prompts } = prepare(from);
      const session = query({ prompt: prompts.prompts, options: { ...options, cwd: workspace } });
      return toBareAgent(sessionId, session, prompts, begun);
    },

    async prewarm() {
      const { sessionId, options, prompts } = prepare({});
      const spare = await prewarm({ options });
      return () => {
        const begun = performance.now();
        const session = spare.claim({ prompt: prompts.prompts, options: { cwd: workspace } });
        return toBareAgent(sessionId, session, prompts, begun);
      };
    },

    async startup(from) {
      const { sessionId, options, prompts } = prepare(from);
      const ready = await startup({ options: { ...options, cwd: workspace } });
      return () => {
        const begun = performance.now();
        return toBareAgent(sessionId, ready.query(prompts.prompts), prompts, begun);
      };
    },
  };
}

function toBareAgent(sessionId: SessionId, session: Query, prompts: PromptQueue, begun: number): BareAgent {
  let from: number | null = begun;
  return {
    sessionId,
    say(text) {
      const pushed = from ?? performance.now();
      from = null;
      prompts.push(toUserMessage(text));
      return readTurn(session, pushed);
    },
    async close() {
      prompts.end();
      for await (const _ of session);
    },
  };
}

/** What our options hold for our own sake alone is left out. */
function toBareOptions(
  { sessionId, sessionStoreFlush = 'eager', ...options }: Options,
  resume: SessionId | undefined,
  store: SessionStore | undefined,
): Options {
  return {
    ...options,
    ...(resume === undefined ? sessionId && { sessionId } : { resume }),
    ...(store && { sessionStore: store, sessionStoreFlush }),
  };
}

async function readTurn(session: Query, pushed: number): Promise<BareTimes> {
  let firstTextMs: number | null = null;
  for (;;) {
    const next = await session.next();
    if (next.done) throw new Error('the bare process ended in a turn');
    if (isText(next.value)) firstTextMs ??= performance.now() - pushed;
    if (next.value.type !== 'result') continue;
    if (next.value.is_error || firstTextMs === null) throw new Error('a bare turn failed');
    return { firstTextMs, endedMs: performance.now() - pushed };
  }
}

function toUserMessage(text: string): SDKUserMessage {
  return {
    type: 'user',
    message: { role: 'user', content: text },
    parent_tool_use_id: null,
    client_composed: true,
    uuid: randomUUID(),
  };
}

function isText(message: SDKMessage): boolean {
  return (
    message.type === 'stream_event' &&
    message.event.type === 'content_block_delta' &&
    message.event.delta.type === 'text_delta'
  );
}
