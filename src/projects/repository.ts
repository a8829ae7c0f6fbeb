import type { Instant } from '../base/terms.ts';
import type { CommitId, ProjectId, TreeId, VersionNo } from './terms.ts';

/**
 * The files of projects and their history in git. The repository lies beside the working directory, where no agent
 * reaches it; it runs no hook, reads no configuration but its own, follows no link and no submodule. The database
 * says what the head is, and the branch follows it: so the writes here need no fence, and whoever comes back late
 * moves nothing.
 */
export type Repository = {
  /** The working directory, a real path below the projects' folder. */
  workdir(project: ProjectId): string;
  /** An empty repository and working directory; harmless when they are there. */
  init(project: ProjectId): Promise<void>;
  /**
   * The first commit, with the files of a git repository (an absolute path or an `https` address): of its head, without
   * its history, its hooks and its configuration; links become text files and submodules are left out. Nothing points
   * at it yet, and the working directory is not touched. Rejects with `ImportRefused`.
   */
  importFrom(project: ProjectId, source: string, at: Instant): Promise<CommitId>;
  /**
   * The tree that the working directory holds, as an object. Ignored files are not part of it; a link is the text of
   * where it points; another repository's files are files, and no `.git` is part of a tree. Rejects when the working
   * directory is missing: that is no empty one.
   */
  readWork(project: ProjectId): Promise<TreeId>;
  /**
   * Makes the working directory equal to a tree, or, with null, empty. What the tree's own rules ignore stays; every
   * `.git` goes, lest a program takes its configuration for a repository's.
   */
  resetWork(project: ProjectId, to: CommitId | TreeId | null): Promise<void>;
  /** A commit object, and nothing points at it yet; the same facts make the same commit. */
  commit(
    project: ProjectId,
    commit: {
      readonly tree: TreeId;
      readonly parent: CommitId | null;
      readonly subject: string;
      readonly trailers: Readonly<Record<string, string>>;
      readonly at: Instant;
    },
  ): Promise<CommitId>;
  /** Moves the branch, unless it has moved already, and marks the version. */
  publish(
    project: ProjectId,
    move: { readonly from: CommitId | null; readonly to: CommitId; readonly version: VersionNo | null },
  ): Promise<void>;
  /** The branch's commit; null: none yet. */
  branch(project: ProjectId): Promise<CommitId | null>;
  treeOf(project: ProjectId, commit: CommitId): Promise<TreeId>;
  /** From null: from nothing. `paths`: at most the first `limit`. */
  changes(
    project: ProjectId,
    from: TreeId | CommitId | null,
    to: TreeId | CommitId,
    limit: number,
  ): Promise<Changes>;
  /** Tracked files of a tree. */
  fileCount(project: ProjectId, tree: TreeId): Promise<number>;
  /** A unified diff, cut off after `limitBytes`. */
  diff(
    project: ProjectId,
    from: CommitId | null,
    to: CommitId,
    limitBytes: number,
  ): Promise<{ readonly text: string; readonly cut: boolean }>;
  /** The paths of a tree, sorted, at most `limit`. */
  list(project: ProjectId, tree: TreeId, limit: number): Promise<readonly string[]>;
  /** A tar archive of a version. */
  archive(project: ProjectId, commit: CommitId): AsyncIterable<Uint8Array>;
  /** Deletes repository and working directory. */
  delete(project: ProjectId): Promise<void>;
};

export type Changes = {
  readonly files: number;
  readonly added: number;
  readonly removed: number;
  readonly paths: readonly string[];
};

/** `reason` is for the caller to read: it names what was wrong with the source and holds no path of this host. */
export class ImportRefused extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`the source cannot be imported: ${reason}`);
    this.name = 'ImportRefused';
    this.reason = reason;
  }
}

/** git said no. `kind` decides what becomes of the update; the message is for the log. */
export class RepositoryFailed extends Error {
  readonly kind: 'disk_full' | 'broken';

  constructor(kind: RepositoryFailed['kind'], detail: string, options?: ErrorOptions) {
    super(`the repository failed: ${detail}`, options);
    this.name = 'RepositoryFailed';
    this.kind = kind;
  }
}
