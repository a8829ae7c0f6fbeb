import { resolve } from 'node:path';
import { type Command, UsageError } from './command.ts';
import { withServer } from './operator.ts';
import { toTable } from './present.ts';
import { findProject, listProjects, type Project, projectIn, projectPath } from './project-address.ts';
import { askOrFail } from './server-client.ts';

/** A large repository takes its time. */
const IMPORT_LIMIT_MS = 15 * 60_000;

export const projectNew: Command = {
  name: 'project new',
  usage: 'NAME [--from PATH|URL] [--user ID]',
  summary: 'Makes a project, empty or with the files of a git repository.',
  help: [
    'NAME  for people; commands take it in place of the id while no other project has it',
    "--from PATH|URL  a git repository on the server's host, or at an https address",
    '--user ID  who owns it (default: admin)',
  ],
  options: { from: { type: 'string' }, user: { type: 'string' } },
  positionals: 1,

  async run({ positionals, texts, flags }, deps) {
    const [name] = positionals;
    if (name === undefined) throw new UsageError('what is it called? NAME is missing');
    const from = texts.get('from');
    const user = texts.get('user');
    const body = {
      name,
      ...(user === undefined ? {} : { user_id: user }),
      ...(from === undefined ? {} : { import_from: toSource(from, deps.callerCwd) }),
    };
    const project = (await withServer(deps, ({ ask }) =>
      // The routes' own schemas are checked where they are made.
      askOrFail(ask, { method: 'POST', path: '/v1/projects', body, limitMs: IMPORT_LIMIT_MS }),
    )) as Project;
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, project }));
    else deps.out(`Project ${project.name} is made: ${project.id}.`);
    return 0;
  },
};

/** An address as it is, a path from where the caller stands. */
function toSource(from: string, callerCwd: string): string {
  return /^[a-z][a-z+.-]*:\/\//i.test(from) ? from : resolve(callerCwd, from);
}

export const projectList: Command = {
  name: 'project list',
  usage: '',
  summary: 'Lists the projects.',
  help: [],
  options: {},
  positionals: 0,

  async run({ flags }, deps) {
    const projects = await withServer(deps, listProjects);
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, projects }));
    else deps.out(projects.length === 0 ? 'There is no project.' : toText(projects));
    return 0;
  },
};

function toText(projects: readonly Project[]): string {
  return toTable([
    ['ID', 'VERSION', 'STATE', 'SESSION', 'OWNER', 'NAME'],
    ...projects.map(({ id, head, state, owner_id, name }) => [
      id,
      head.version === null ? '-' : String(head.version),
      state,
      head.has_session ? 'yes' : '-',
      owner_id,
      name,
    ]),
  ]);
}

export const projectToken: Command = {
  name: 'project token',
  usage: 'ID --user U [--label L]',
  summary: 'Makes a token that is good for one project, and shows it this once.',
  help: ['ID  of the project, or its name', '--user U  whom its holder acts as', '--label L  what it is for'],
  options: { user: { type: 'string' }, label: { type: 'string' } },
  positionals: 1,

  async run({ positionals, texts, flags }, deps) {
    const given = projectIn(positionals);
    const user = texts.get('user');
    if (user === undefined) throw new UsageError('for whom? --user is missing');
    const made = (await withServer(deps, async (server) => {
      const { id } = await findProject(server, given);
      const body = { user_id: user, label: texts.get('label') ?? '' };
      return askOrFail(server.ask, { method: 'POST', path: projectPath(id, '/tokens'), body });
    })) as { readonly token: string };
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, ...made }));
    else deps.out(made.token);
    return 0;
  },
};
