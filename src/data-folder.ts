/** Joins the parts that commands work with while no server runs; beside `app.ts`, a file that reaches backends. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { operatorRoutes } from './api/api.ts';
import { makeCollectFacts } from './api/collect-stats.ts';
import { makeForget } from './api/forget.ts';
import { makeHttp } from './api/http.ts';
import { chatNameOf, openStore } from './app.ts';
import { systemClock } from './base/clock.ts';
import type { ConversationKey } from './base/terms.ts';
import { CommandFailed } from './cli/command.ts';
import type { OpenFolder, OpenFolderOutcome } from './cli/operator.ts';
import type { Config } from './config.ts';
import { makeWorkspaces } from './session/workspaces.ts';
import { PostgresError } from './store/postgres/errors.ts';
import { DatabaseTaken } from './store/postgres/lock.ts';
import { FolderLocked } from './store/sqlite/lock.ts';
import { DatabaseBusy, type Store } from './store/store.ts';
import { makeLog } from './telemetry/log.ts';
import { makeMetrics } from './telemetry/metrics.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { VERSION } from './version.ts';

/** Entries of a transcript that are written at once. */
const ENTRIES_AT_ONCE = 1_000;
/** A command has nobody whose turns could run. */
const NO_QUEUE = { active: () => [], interrupt: () => false };

export async function openDataFolder(
  config: Config,
  folder: 'existing' | 'or-new',
): Promise<OpenFolderOutcome> {
  const isSqlite = config.databaseUrl === null;
  if (folder === 'existing' && isSqlite && !existsSync(join(config.dataDir, 'firekeeper.sqlite')))
    return { kind: 'missing' };
  const closers: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const telemetry: Telemetry = { log: makeLog({ level: 'silent', pretty: false }), metrics: makeMetrics() };
  try {
    const ground = { clock: systemClock, log: telemetry.log, closers, telemetry };
    const { store } = await openStore(config, ground);
    return { kind: 'open', folder: { ...(await buildFolder(config, store, telemetry, closers)), close } };
  } catch (error) {
    await close();
    if (error instanceof FolderLocked)
      return { kind: 'held', address: error.holder?.address ?? null, detail: error.message };
    if (error instanceof DatabaseTaken) return { kind: 'held', address: null, detail: error.message };
    if (error instanceof DatabaseBusy || error instanceof PostgresError)
      throw new CommandFailed('no_database', error.message);
    throw error;
  }
}

async function buildFolder(
  config: Config,
  store: Store,
  telemetry: Telemetry,
  closers: (() => unknown)[],
): Promise<Omit<OpenFolder, 'close'>> {
  const workspaces = makeWorkspaces(join(config.dataDir, 'workspaces'));
  /** What a server's sessions do, where no process lives. */
  async function forget(conversation: ConversationKey): Promise<number> {
    const lease = await store.leases.seize(conversation);
    const unanswered = await store.sessions.forget(lease);
    await workspaces.delete(conversation);
    await store.leases.release(lease);
    return unanswered;
  }

  // Who may read the folder may ask: nobody has to log in, and nothing listens.
  const http = makeHttp({
    host: 'localhost',
    publicUrl: null,
    version: VERSION,
    login: { check: () => 'logged-in' },
    ...telemetry,
  });
  http.register(
    operatorRoutes({
      sessionViews: store.views.sessions,
      inboxViews: store.views.inbox,
      outboxViews: store.views.outbox,
      owed: () => {},
      collectFacts: makeCollectFacts({ agents: { census: async () => [] }, queue: NO_QUEUE }),
      turns: store.turns,
      // Nobody in a room waits for a server that is down.
      forget: makeForget({
        records: store.sessions,
        sessions: { forget },
        queue: NO_QUEUE,
        tellStopped: async () => {},
      }),
      queue: NO_QUEUE,
      compact: async () => 'not-available',
      wake: () => {},
      clock: systemClock,
    }),
  );
  closers.push(() => http.close());

  return {
    async ask({ method, path, headers = {}, body }) {
      const json = body === undefined ? {} : { payload: JSON.stringify(body) };
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const answer = await http.inject({ method, url: path, headers: { ...headers, ...type }, ...json });
      return { status: answer.statusCode, body: answer.json() };
    },

    chat: await chatNameOf(config, store),
    current: (conversation) => store.sessions.current(conversation),
    isKnownSession: (sessionId) => store.views.sessions.isKnownSession(sessionId),

    /** The record comes last: before it the transcript is nobody's, and an import that was cut short starts anew. */
    async adopt(record, entries) {
      const { conversation, sessionId } = record;
      const lease = await store.leases.seize(conversation);
      await store.transcripts.delete(sessionId);
      for (let from = 0; from < entries.length; from += ENTRIES_AT_ONCE)
        await store.transcripts.append(lease, sessionId, null, entries.slice(from, from + ENTRIES_AT_ONCE));
      const former = await store.sessions.current(conversation);
      await store.sessions.begin(lease, record, former === null ? null : 'expired');
      await store.leases.release(lease);
    },
  };
}
