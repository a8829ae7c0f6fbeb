/** Whether an agent can have a shell on this machine. */
import { probeSandbox, type SandboxProbe } from '../../src/agent/agent.ts';

export const sandbox = await probeSandbox(process.env.PATH ?? '');

/** A host may refuse a sandbox, in CI too. A program that is missing is a failure in CI, not a silence. */
export const hasNoSandbox = sandbox.kind === 'missing' && !(process.env.CI && lacksPrograms(sandbox));

export function lacksPrograms(probe: SandboxProbe): boolean {
  return probe.kind === 'missing' && probe.reason.endsWith('not installed here');
}
