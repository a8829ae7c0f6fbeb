import type { Verification } from './policy.ts';
import type { ProjectId } from './terms.ts';

/**
 * Runs a project's verification commands in its working directory: in a sandbox, without a network, with an
 * environment of its own. When it resolves, no process that a command started is left.
 */
export type Verifier = {
  /** In their order; the first one that fails is the last one. An abort of the signal ends them all: `aborted`. */
  verify(
    project: ProjectId,
    commands: readonly Verification[],
    options: { readonly allowUnsandboxed: boolean; readonly signal: AbortSignal },
  ): Promise<Verified>;
};

export type Verified =
  | { readonly kind: 'passed'; readonly results: readonly CommandResult[] }
  /** `tail`: the end of what the command wrote, for the agent that mends it; it stays on this server. */
  | { readonly kind: 'failed'; readonly results: readonly CommandResult[]; readonly tail: string }
  /** No sandbox, and the project does not allow to go without. The reason is for operators. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  | { readonly kind: 'aborted' };

/** `exit` null: it was ended at its time limit. */
export type CommandResult = {
  readonly name: string;
  readonly exit: number | null;
  readonly ms: number;
};
