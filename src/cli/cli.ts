/** The command line: which commands there are, and how one is found, read and run. */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { toError } from '../base/errors.ts';
import { ConfigError, callersFolder } from '../config.ts';
import { backup } from './backup.ts';
import { botNew } from './bot-new.ts';
import {
  type CliDeps,
  type Command,
  CommandFailed,
  type CommandInput,
  type ExitCode,
  type Terminal,
  UsageError,
} from './command.ts';
import { doctor } from './doctor.ts';
import { importSessionCache } from './import-session-cache.ts';
import { inboxList, inboxReplay } from './inbox.ts';
import { moveToPostgres } from './move-to-postgres.ts';
import { projectList, projectNew, projectToken } from './project-new.ts';
import { projectReport } from './project-report.ts';
import { projectRestore, projectUpdate, projectWatch } from './project-update.ts';
import { projectDiff, projectVersions } from './project-versions.ts';
import { restore } from './restore.ts';
import { sessionsList, sessionsReset, sessionsShow } from './sessions.ts';
import { sessionsExport } from './sessions-export.ts';
import { start } from './start.ts';

const COMMANDS: readonly Command[] = [
  start,
  doctor,
  botNew,
  sessionsList,
  sessionsShow,
  sessionsReset,
  sessionsExport,
  inboxList,
  inboxReplay,
  projectNew,
  projectList,
  projectUpdate,
  projectWatch,
  projectVersions,
  projectDiff,
  projectRestore,
  projectToken,
  projectReport,
  backup,
  restore,
  importSessionCache,
  moveToPostgres,
];

/** Runs one command; everything it says goes through `deps`. */
export async function runCli(args: readonly string[], deps: CliDeps): Promise<ExitCode> {
  const command = COMMANDS.find(({ name }) => name.split(' ').every((word, at) => args[at] === word));
  if (command === undefined) return answerWithoutCommand(args, deps);
  const rest = args.slice(command.name.split(' ').length);
  try {
    const input = readInput(command, rest);
    if (input.flags.has('help')) {
      deps.out(helpOf(command));
      return 0;
    }
    return await command.run(input, deps);
  } catch (error) {
    return tellError(toError(error), command, rest.includes('--json'), deps);
  }
}

/** The first word of several commands, such as `project`, has these for its help. */
function answerWithoutCommand(args: readonly string[], deps: CliDeps): ExitCode {
  const [first = '', second = ''] = args;
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
  const listed = group.length > 0 ? group : COMMANDS;
  if (isHelp(first) || (group.length > 0 && isHelp(second))) {
    deps.out(helpOfAll(listed));
    return 0;
  }
  const isCutShort = group.length > 0 && second === '';
  if (args.length > 0 && !isCutShort) deps.err(`There is no command "${args.join(' ')}".\n`);
  deps.err(helpOfAll(listed));
  return 2;
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h' || word === 'help';
}

function readInput(command: Command, args: readonly string[]): CommandInput {
  const { values, positionals } = parseOrRefuse(command, args);
  if (positionals.length > command.positionals) {
    throw new UsageError(`unexpected "${positionals.slice(command.positionals).join(' ')}"`);
  }
  const given = Object.entries(values);
  return {
    positionals,
    flags: new Set(given.flatMap(([name, value]) => (value === true ? [name] : []))),
    texts: new Map(given.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []))),
  };
}

function parseOrRefuse(command: Command, args: readonly string[]) {
  const options = {
    ...command.options,
    help: { type: 'boolean', short: 'h' },
    json: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(toError(error).message);
  }
}

/** A wrong configuration, what could not be done and a wrong usage are told; anything else is a bug and is thrown on. */
function tellError(error: Error, command: Command, json: boolean, deps: CliDeps): ExitCode {
  if (error instanceof ConfigError) {
    if (json) deps.out(JSON.stringify({ ok: false, problems: error.problems }));
    else deps.err(error.message);
    return 1;
  }
  if (error instanceof CommandFailed) {
    if (json) deps.out(JSON.stringify({ ok: false, code: error.code, detail: error.message }));
    else deps.err(`${error.message}.`.replace(/[.]+$/, '.'));
    return 1;
  }
  if (!(error instanceof UsageError)) throw error;
  deps.err(`${error.message}\n\n${helpOf(command)}`);
  return 2;
}

function helpOfAll(listed: readonly Command[]): string {
  const width = Math.max(...listed.map(({ name }) => name.length));
  const lines = listed.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return ['Usage: firekeeper COMMAND [--help] [--json]', '', ...lines].join('\n');
}

function helpOf(command: Command): string {
  const usage = `Usage: firekeeper ${command.name} ${command.usage}`.trimEnd();
  const options = [...command.help, '--json  the answer as one JSON object', '--help  this text'];
  return [usage, '', command.summary, '', ...options.map((line) => `  ${line}`)].join('\n');
}

function terminalOf(stdout: NodeJS.WriteStream): Terminal | null {
  if (!stdout.isTTY) return null;
  return {
    get columns() {
      return stdout.columns;
    },
    write: (text) => void stdout.write(text),
  };
}

/** Exit codes of commands reach the shell when nothing is left to do: output is never cut off. */
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = await runCli(process.argv.slice(2), {
    cwd: process.cwd(),
    callerCwd: callersFolder(),
    out: (text) => console.log(text),
    err: (text) => console.error(text),
    terminal: terminalOf(process.stdout),
    start: async () => (await import('../main.ts')).main(),
    openFolder: async (...asked) => (await import('../data-folder.ts')).openDataFolder(...asked),
    doctorChecks: async (config) => (await import('../doctor.ts')).makeDoctorChecks(config),
  });
}
