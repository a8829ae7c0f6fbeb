import type { Clock } from '../base/clock.ts';
import type { Repository } from '../projects/projects.ts';
import type { FolderLock } from '../store/sqlite/lock.ts';
import type { Store } from '../store/store.ts';
import type { Log } from '../telemetry/telemetry.ts';

export type AppDeps = {
  readonly log: Log;
  readonly clock: Clock;
  /** Of the data folder, taken already; taken while the store is opened when not given. */
  readonly lock?: FolderLock;
  /** Runs instead of Claude's process. For tests alone, so it is no setting. */
  readonly agentExecutable?: string;
  /** Stands between every part and the store's ports. For tests alone: the crash-point sweep dies at chosen calls. */
  readonly wrapStore?: (store: Store) => Store;
  /** The same between projects and git. */
  readonly wrapRepository?: (repository: Repository) => Repository;
  /** False lets a second server work on the database of a first one. For tests alone: only fences hold them apart then. */
  readonly exclusive?: boolean;
  /** Told when another server has taken the database over: this one can write nothing any more, and its owner stops it. */
  readonly giveUp?: (why: Error) => void;
};

/** What is open, in the order in which it was opened; closed in reverse. */
export type Closers = (() => unknown)[];

export async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

export type Ground = AppDeps & { readonly closers: Closers };
