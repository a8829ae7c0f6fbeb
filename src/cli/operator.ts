/** How commands ask: the running server over HTTP, or, while none runs, the data folder itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TranscriptEntry } from '../agent/agent.ts';
import type { ChatName, ConversationKey, SessionId } from '../base/terms.ts';
import { type Config, loadConfig } from '../config.ts';
import type { SessionRecord } from '../session/session.ts';
import { type CliDeps, CommandFailed } from './command.ts';
import { type Ask, makeServerClient, type ServerClient } from './server-client.ts';

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
    return work(makeServerClient(opened.address, await readToken(config)).ask);
  }
  try {
    return await work(opened.folder.ask);
  } finally {
    await opened.folder.close();
  }
}

/** As `withOperator`, for what a server alone can do. */
export async function withServer<Result>(
  deps: CliDeps,
  work: (server: ServerClient) => Promise<Result>,
): Promise<Result> {
  const { config } = loadConfig(deps.cwd);
  const opened = await deps.openFolder(config, 'existing');
  if (opened.kind === 'held') {
    if (opened.address === null) throw new CommandFailed('no_address', opened.detail);
    return work(makeServerClient(opened.address, await readToken(config)));
  }
  if (opened.kind === 'open') await opened.folder.close();
  throw new CommandFailed(
    'no_server',
    `no server runs on ${config.dataDir}: projects need one, start it with bin/start`,
  );
}

/** A conversation's routes. */
export function sessionPath(key: string, rest = ''): string {
  return `/api/sessions/${encodeURIComponent(key)}${rest}`;
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
