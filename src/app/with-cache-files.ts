import type { ConversationKey } from '../base/terms.ts';
import type { Config } from '../config.ts';
import { makeCacheFiles } from '../session/cache-files.ts';
import type { Sessions } from '../session/session.ts';
import type { EngineDeps } from './engine.ts';

type WithCacheFiles = {
  readonly sessions: Sessions;
  /** A turn of the conversation has run. */
  changed(conversation: ConversationKey): void;
};

/**
 * Where a folder for them is configured, the predecessor's session files follow each turn, each compaction between
 * turns and each forget.
 */
export function withCacheFiles(
  config: Config,
  sessions: Sessions,
  { store, log, closers }: EngineDeps,
): WithCacheFiles {
  if (config.sessionCacheDir === null) return { sessions, changed: () => {} };
  const { sessionCacheDir: dir, timeZone } = config;
  const files = makeCacheFiles({ dir, records: store.sessions, timeZone, log });
  closers.push(() => files.close());
  const told: Sessions = {
    ...sessions,
    async forget(conversation) {
      const unanswered = await sessions.forget(conversation);
      files.changed(conversation);
      return unanswered;
    },
    async compact(lease) {
      const outcome = await sessions.compact(lease);
      files.changed(lease.conversation);
      return outcome;
    },
  };
  return { sessions: told, changed: files.changed };
}
