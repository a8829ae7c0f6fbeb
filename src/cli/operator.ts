/** How commands ask: the running server over HTTP, or, while none runs, the data folder itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TranscriptEntry } from '../agent/agent.ts';
import { systemClock, within } from '../base/clock.ts';
import { toError } from '../base/errors.ts';
import type { ChatName, ConversationKey, SessionId } from '../base/terms.ts';
import { type Config, loadConfig } from '../config.ts';
import type { SessionRecord } from '../session/session.ts';
import { type CliDeps, CommandFailed } from './command.ts';

/** One of the server's routes of sessions and messages. */
export type Question = { readonly method: 'GET' | 'POST'; readonly path: string };
export type Answer = { readonly status: number; readonly body: unknown };
export type Ask = (question: Question) => Promise<Answer>;

/** A data folder that is ours: no server runs on it, and none can start. */
export type OpenFolder = {
  readonly ask: Ask;
  /** The chat that is configured. */
  readonly chat: ChatName;
  /** The conversation's current session. */
  current(conversation: ConversationKey): Promise<SessionRecord | null>;
  /** Whether a session with this id was ever here. */
  isKnownSession(sessionId: SessionId): Promise<boolean>;
  /** Takes in a session from elsewhere; the conversation's current one, if any, ends as expired. */
  adopt(record: SessionRecord, entries: readonly TranscriptEntry[]): Promise<void>;
  close(): Promise<void>;
};

export type OpenFolderOutcome =
  | { readonly kind: 'open'; readonly folder: OpenFolder }
  /** Another process holds it; `address` null: it is no server, or not yet. `detail` names it. */
  | { readonly kind: 'held'; readonly address: string | null; readonly detail: string }
  /** There is no database in it. */
  | { readonly kind: 'missing' };

/** A reset waits for a process to end. */
const ANSWER_LIMIT_MS = 60_000;

/** Runs a command's questions; throws `CommandFailed` when nobody can be asked. */
export async function withOperator<Result>(
  deps: CliDeps,
  work: (ask: Ask) => Promise<Result>,
): Promise<Result> {
  const { config } = loadConfig(deps.cwd);
  const opened = await deps.openFolder(config, 'existing');
  if (opened.kind === 'missing') {
    throw new CommandFailed('no_database', `there is no Firekeeper database in ${config.dataDir} yet`);
  }
  if (opened.kind === 'held') {
    if (opened.address === null) throw new CommandFailed('no_address', opened.detail);
    return work(askServer(opened.address, await readToken(config)));
  }
  try {
    return await work(opened.folder.ask);
  } finally {
    await opened.folder.close();
  }
}

/** The answer's body, or `CommandFailed` with what the problem details say. */
export async function askOrFail(ask: Ask, question: Question): Promise<unknown> {
  const { status, body } = await ask(question);
  if (status < 400) return body;
  const { code, detail } = toProblem(body);
  throw new CommandFailed(code ?? 'refused', detail ?? `the server answered ${status}`);
}

function toProblem(body: unknown): { readonly code?: string; readonly detail?: string } {
  if (typeof body !== 'object' || body === null) return {};
  const { code, detail } = body as Readonly<Record<string, unknown>>;
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof detail === 'string' ? { detail } : {}),
  };
}

/** A conversation's routes. */
export function sessionPath(key: string, rest = ''): string {
  return `/api/sessions/${encodeURIComponent(key)}${rest}`;
}

function askServer(address: string, token: string): Ask {
  return async ({ method, path }) => {
    const abort = new AbortController();
    const answering = fetch(toReachable(address) + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: abort.signal,
    }).then(async (response) => ({ status: response.status, body: await response.json().catch(() => null) }));
    try {
      const answer = await within(systemClock, ANSWER_LIMIT_MS, answering);
      if (answer === 'timed-out') throw new Error(`no answer in ${ANSWER_LIMIT_MS / 1_000} s`);
      return answer;
    } catch (error) {
      const { cause, message } = toError(error);
      const detail = cause instanceof Error ? cause.message : message;
      throw new CommandFailed('unreachable', `the server at ${address} cannot be asked: ${detail}`);
    } finally {
      abort.abort();
    }
  };
}

/** A server that listens on every address is reached on this machine's own. */
function toReachable(address: string): string {
  return address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

async function readToken(config: Config): Promise<string> {
  if (config.adminToken !== null) return config.adminToken;
  const file = join(config.dataDir, 'admin-token');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    throw new CommandFailed('no_token', `${file} cannot be read: set ADMIN_TOKEN to what the server has`);
  }
}
