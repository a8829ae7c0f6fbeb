import { realpath } from 'node:fs/promises';
import { makeFamilies, systemProcessTable } from '../../agent/agent.ts';
import type { Clock } from '../../base/clock.ts';
import type { Verification } from '../policy.ts';
import type { ProjectId } from '../terms.ts';
import type { CommandResult, Verified, Verifier } from '../verifier.ts';
import { type FoundSandbox, findSandbox } from './find-sandbox.ts';
import { type CommandDeps, type CommandOptions, runCommand } from './run-command.ts';

export type VerifierDeps = {
  /** A project's working directory (`Repository.workdir`). */
  readonly workdir: (project: ProjectId) => string;
  /** The allowed part of the server's environment: commands get its PATH and LANG. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Id of the data folder. */
  readonly ownerId: string;
  /** The data folder, which no command sees but for its own working directory. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** Instead of a look at this host; for tests. */
  readonly sandbox?: FoundSandbox;
};

/** Verification commands in bubblewrap, or without it where there is none and the project allows that. */
export function makeVerifier(deps: VerifierDeps): Verifier {
  const { clock } = deps;
  const families = makeFamilies({ table: systemProcessTable(process.platform), clock, self: process.pid });
  let known: FoundSandbox | null = deps.sandbox ?? null;

  /** What was found once is kept; what was not is looked for again, since it may have been installed. */
  async function find(): Promise<FoundSandbox> {
    if (known !== null) return known;
    const found = await findSandbox({ platform: process.platform, baseEnv: deps.baseEnv, clock });
    if (found.kind === 'found') known = found;
    return found;
  }

  async function workdirOf(project: ProjectId): Promise<string> {
    const workdir = deps.workdir(project);
    // A link in its place would be opened to the commands, wherever it points.
    if ((await realpath(workdir)) !== workdir)
      throw new Error('the working directory is not where it should be');
    return workdir;
  }

  async function runAll(
    commands: readonly Verification[],
    where: Pick<CommandOptions, 'workdir' | 'sandbox' | 'signal'>,
  ): Promise<Verified> {
    const commandDeps: CommandDeps = { ...deps, families, hidden: [await realpath(deps.dataDir)] };
    const results: CommandResult[] = [];
    for (const { name, command, timeout_seconds } of commands) {
      if (where.signal.aborted) return { kind: 'aborted' };
      const startedAt = clock.now();
      const options = { ...where, timeoutMs: timeout_seconds * 1_000 };
      const { ended, exitCode, tail } = await runCommand(command, options, commandDeps);
      if (ended === 'aborted') return { kind: 'aborted' };
      results.push({ name, exit: exitCode, ms: clock.now() - startedAt });
      if (exitCode !== 0) return { kind: 'failed', results, tail };
    }
    return { kind: 'passed', results };
  }

  return {
    async verify(project, commands, { allowUnsandboxed, signal }) {
      const found = await find();
      if (found.kind === 'none' && !allowUnsandboxed) return { kind: 'unavailable', reason: found.reason };
      const sandbox = found.kind === 'found' ? found.sandbox : null;
      return await runAll(commands, { workdir: await workdirOf(project), sandbox, signal });
    },
  };
}
