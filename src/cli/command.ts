/** What a command is; each stands in a file of its own and is listed in `cli.ts`. */
import type { ParseArgsConfig } from 'node:util';
import type { Config } from '../config.ts';
import type { DoctorChecks } from './doctor-agent.ts';
import type { OpenFolderOutcome } from './operator.ts';

/** 0 done · 1 failed · 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;

export type CliDeps = {
  /** Where `.env` and relative paths start. */
  readonly cwd: string;
  /** Where the caller stands: relative paths among the arguments start there. */
  readonly callerCwd: string;
  /** One line, or several, to the standard output: what was asked for. */
  out(text: string): void;
  /** To the standard error: what went wrong. */
  err(text: string): void;
  /** The standard output when it is a terminal that can be drawn on; else null, and lines go to `out`. */
  readonly terminal?: Terminal | null;
  /** Runs the server until it is told to stop; its exit code. */
  start(): Promise<number>;
  /** The probes that need the whole server's parts; null: this build has none. */
  doctorChecks(config: Config): Promise<DoctorChecks | null>;
  /** Opens the data folder unless another process holds it; `or-new` makes it when there is none. */
  openFolder(config: Config, folder: 'existing' | 'or-new'): Promise<OpenFolderOutcome>;
};

export type Terminal = {
  /** As wide as it is now. */
  readonly columns: number;
  /** As it is, without a line end. */
  write(text: string): void;
};

export type CommandInput = {
  readonly positionals: readonly string[];
  readonly flags: ReadonlySet<string>;
  readonly texts: ReadonlyMap<string, string>;
};

export type Command = {
  /** One word or two, such as `bot new`. */
  readonly name: string;
  /** What comes after the name. */
  readonly usage: string;
  readonly summary: string;
  /** Lines of help, option by option; `--json` and `--help` are everybody's. */
  readonly help: readonly string[];
  readonly options: NonNullable<ParseArgsConfig['options']>;
  /** Most arguments beside options. */
  readonly positionals: number;
  run(input: CommandInput, deps: CliDeps): Promise<ExitCode>;
};

/** It could not be done: the message is for the person, `code` for scripts, the exit code is 1. */
export class CommandFailed extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'CommandFailed';
    this.code = code;
  }
}

/** Wrong usage: the message is for the person, the exit code is 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
