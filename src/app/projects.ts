/** Builds what carries projects from version to version. */
import { join } from 'node:path';
import { SDK_VERSION } from '../agent/claude/claude.ts';
import type { Config } from '../config.ts';
import { makeGitRepository } from '../projects/git/git.ts';
import { makeProjects, type Projects } from '../projects/projects.ts';
import { makeVerifier } from '../projects/verify/verify.ts';
import { type buildEngine, type EngineDeps, GRACE_MS, POLL_MS } from './engine.ts';
import { LEASE_MS } from './open-parts.ts';

type Engine = Pick<Awaited<ReturnType<typeof buildEngine>>, 'agents' | 'ownerId' | 'endpoints'>;

/** Claims nothing until `start`. */
export function buildProjects(config: Config, engine: Engine, deps: EngineDeps): Projects {
  const { clock, telemetry, store, wrapRepository = (repository) => repository } = deps;
  const { agents, endpoints, ownerId } = engine;
  const repository = wrapRepository(
    makeGitRepository({
      root: join(config.dataDir, 'projects'),
      baseEnv: config.agentEnv,
      clock,
      ownerId,
    }),
  );
  const verifier = makeVerifier({
    workdir: repository.workdir,
    baseEnv: config.agentEnv,
    ownerId,
    dataDir: config.dataDir,
    clock,
  });
  return makeProjects({
    store: store.projects,
    repository,
    verifier,
    agents,
    transcripts: store.transcripts,
    endpoints,
    clock,
    telemetry,
    agentVersion: SDK_VERSION,
    defaultModel: config.defaultModel,
    limits: {
      resume: config.projectResume,
      atOnce: config.projectsAtOnce,
      pollMs: POLL_MS,
      renewMs: LEASE_MS / 3,
      leaseMs: LEASE_MS,
      stuckAfterMs: config.stuckAfterMs,
      graceMs: GRACE_MS,
    },
  });
}
