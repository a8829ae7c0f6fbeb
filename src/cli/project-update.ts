import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toError } from '../base/errors.ts';
import {
  type CliDeps,
  type Command,
  CommandFailed,
  type CommandInput,
  type ExitCode,
  UsageError,
} from './command.ts';
import { withServer } from './operator.ts';
import { findProject, projectIn, projectPath, readCount } from './project-address.ts';
import { askOrFail, type ServerClient } from './server-client.ts';
import { readUpdate, tellEnd, type Update, watchUpdate } from './watch-update.ts';

const WATCH_HELP = '--watch  shows how it goes until it has ended';

export const projectUpdate: Command = {
  name: 'project update',
  usage: 'ID PROMPT [--file F] [--user U] [--fresh] [--watch]',
  summary: 'Queues an update: an agent makes the next version of the project.',
  help: [
    'ID  of the project, or its name',
    'PROMPT  what is to be changed',
    '--file F  a file that holds it, in place of PROMPT',
    '--user U  whom you act for (default: admin)',
    '--fresh  the agent starts without what the latest one knew',
    WATCH_HELP,
  ],
  options: {
    file: { type: 'string' },
    user: { type: 'string' },
    fresh: { type: 'boolean' },
    watch: { type: 'boolean' },
  },
  positionals: 2,

  async run(input, deps) {
    const given = projectIn(input.positionals);
    const prompt = await readPrompt(input, deps);
    const user = input.texts.get('user');
    const body = {
      prompt,
      resume: input.flags.has('fresh') ? 'never' : 'auto',
      ...(user === undefined ? {} : { user_id: user }),
    };
    return withServer(deps, (server) => queueUp(server, given, '/updates', body, input, deps));
  },
};

async function readPrompt({ positionals, texts }: CommandInput, deps: CliDeps): Promise<string> {
  const [, prompt] = positionals;
  const file = texts.get('file');
  if ((prompt === undefined) === (file === undefined))
    throw new UsageError('what is to be changed? Give PROMPT or --file');
  if (file === undefined) return prompt ?? '';
  const path = resolve(deps.callerCwd, file);
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new CommandFailed('not_read', `${path} cannot be read: ${toError(error).message}`);
  });
}

async function queueUp(
  server: ServerClient,
  given: string,
  rest: string,
  body: unknown,
  { flags }: CommandInput,
  deps: CliDeps,
): Promise<ExitCode> {
  const json = flags.has('json');
  const project = await findProject(server, given);
  const update = (await askOrFail(server.ask, {
    method: 'POST',
    path: projectPath(project.id, rest),
    headers: { 'idempotency-key': randomUUID() },
    body,
  })) as Update; // The routes' own schemas are checked where they are made.
  if (flags.has('watch')) return tellEnd(await watchUpdate(server, update.id, deps, json), deps, json);
  if (json) deps.out(JSON.stringify({ ok: true, update }));
  else deps.out(`Update ${update.id} of ${project.name} is ${update.status}.`);
  return 0;
}

export const projectRestore: Command = {
  name: 'project restore',
  usage: 'ID NO [--user U] [--watch]',
  summary: 'Queues a restore: a new version with the files, and the session, of an old one.',
  help: [
    'ID  of the project, or its name',
    'NO  the version, as "project versions" shows it',
    '--user U  whom you act for (default: admin)',
    WATCH_HELP,
  ],
  options: { user: { type: 'string' }, watch: { type: 'boolean' } },
  positionals: 2,

  async run(input, deps) {
    const given = projectIn(input.positionals);
    const no = readCount(input.positionals[1], 'NO');
    const user = input.texts.get('user');
    const body = user === undefined ? {} : { user_id: user };
    return withServer(deps, (server) => queueUp(server, given, `/versions/${no}/restore`, body, input, deps));
  },
};

export const projectWatch: Command = {
  name: 'project watch',
  usage: 'UPDATE',
  summary: 'Shows how an update goes until it has ended.',
  help: [
    'UPDATE  its number, as "project update" told it',
    'The exit code is 0 when it was completed, else 1.',
  ],
  options: {},
  positionals: 1,

  async run({ positionals, flags }, deps) {
    const id = readCount(positionals[0], 'UPDATE');
    return withServer(deps, async (server) => {
      // Says at once when there is none.
      await readUpdate(server, id);
      const json = flags.has('json');
      return tellEnd(await watchUpdate(server, id, deps, json), deps, json);
    });
  },
};
