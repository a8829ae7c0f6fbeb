import { rename, rm } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { newAgentId } from '../../base/ids.ts';
import { type Repository, RepositoryFailed } from '../repository.ts';
import type { ProjectId, TreeId } from '../terms.ts';
import { checkedId, publish, readBranch, writeCommit } from './history.ts';
import { IMPORT_LIMITS, type ImportLimits, importFrom } from './import-from.ts';
import { initRepository } from './init.ts';
import { withOpenWork } from './open-work.ts';
import { checkPlace, makeFolder, type Place, placeOf, realRoot, sweepScratch } from './place.ts';
import { readWork } from './read-work.ts';
import { resetWork } from './reset-work.ts';
import { makeGit } from './run-git.ts';
import { archive, countFiles, listPaths, readChanges, readDiff } from './views.ts';

export type GitRepositoryDeps = {
  /** The projects' folder, `DATA_DIR/projects`; nothing else may be kept in it. */
  readonly root: string;
  /** The allowed part of the server's environment; of it git gets PATH, and for `https` what a proxy needs. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Id of the data folder: the reaper finds by it what a killed server left. Without it, git runs unmarked. */
  readonly ownerId?: string;
  readonly gitExecutable?: string;
  readonly importLimits?: ImportLimits;
};

/** Projects' files in git: `<root>/<id>/repo.git`, and beside it `work`. The folder is made when missing. */
export function makeGitRepository(deps: GitRepositoryDeps): Repository {
  const root = realRoot(deps.root);
  const marks = deps.ownerId === undefined ? null : { owner: deps.ownerId, agent: newAgentId() };
  const { clock } = deps;
  const git = makeGit({ ...deps, executable: deps.gitExecutable ?? 'git', marks });
  const importDeps = { git, clock, root, limits: deps.importLimits ?? IMPORT_LIMITS };

  /** Every call but `init` and `delete` begins here: nothing is done in a place that is not what it should be. */
  async function at<Value>(project: ProjectId, work: (place: Place) => Promise<Value>): Promise<Value> {
    const place = placeOf(root, project);
    return await named(async () => {
      await checkPlace(root, place);
      return await work(place);
    });
  }

  return {
    workdir: (project) => placeOf(root, project).work,

    async init(project) {
      const place = placeOf(root, project);
      await named(async () => {
        for (const folder of [root, place.folder, place.gitDir, place.work]) await makeFolder(folder);
        await initRepository(git, place.gitDir);
      });
    },

    importFrom: (project, source, instant) =>
      at(project, (place) => importFrom(importDeps, place, source, instant)),
    readWork: (project) => at(project, (place) => withOpenWork(place.work, () => readWork(git, place))),
    resetWork: (project, to) =>
      at(project, async (place) => {
        await sweepScratch(place, clock);
        const tree = to === null ? null : checkedId(to);
        await withOpenWork(place.work, () => resetWork(git, place, tree));
      }),
    commit: (project, facts) => at(project, (place) => writeCommit(git, place, facts)),
    publish: (project, move) => at(project, (place) => publish(git, place, move)),
    branch: (project) => at(project, (place) => readBranch(git, place)),
    treeOf: (project, commit) =>
      at(project, async ({ gitDir }) => {
        const args = ['rev-parse', '--verify', '--quiet', `${checkedId(commit)}^{tree}`];
        return (await git.text({ gitDir, args })) as TreeId;
      }),

    changes: (project, from, to, limit) => at(project, (place) => readChanges(git, place, from, to, limit)),
    fileCount: (project, tree) => at(project, (place) => countFiles(git, place, tree)),
    diff: (project, from, to, limitBytes) =>
      at(project, (place) => readDiff(git, place, from, to, limitBytes)),
    list: (project, tree, limit) => at(project, (place) => listPaths(git, place, tree, limit)),
    async *archive(project, commit) {
      const place = placeOf(root, project);
      await named(() => checkPlace(root, place));
      yield* archive(git, place, commit);
    },

    async delete(project) {
      const { folder } = placeOf(root, project);
      // Under another name first: a half-deleted repository is never taken for a whole one.
      const doomed = `${folder}.deleted`;
      await named(async () => {
        await rm(doomed, { recursive: true, force: true });
        await rename(folder, doomed).catch(unlessMissing);
        await rm(doomed, { recursive: true, force: true });
      });
    },
  };
}

function unlessMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}

/** What the file system refuses is the repository's failure too. Our own errors pass, and so do bugs. */
async function named<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === null || error instanceof RepositoryFailed) throw error;
    const kind = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'broken';
    throw new RepositoryFailed(kind, code, { cause: error });
  }
}

/** The system's code of an error, such as `ENOENT`; null for every other error. */
function codeOf(error: unknown): string | null {
  const code: unknown = error instanceof Error && 'code' in error && 'syscall' in error ? error.code : null;
  return typeof code === 'string' ? code : null;
}
