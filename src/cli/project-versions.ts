import { type Command, UsageError } from './command.ts';
import { withServer } from './operator.ts';
import { readLimit, toTable } from './present.ts';
import { findProject, projectIn, projectPath, readCount } from './project-address.ts';
import { askOrFail } from './server-client.ts';

/** A version as the server tells it, as far as it is shown. */
type Version = {
  readonly no: number;
  readonly restored_from: number | null;
  readonly update_id: number;
  readonly kind: string;
  readonly commit: string;
  readonly prompt: string | null;
  readonly title: string | null;
  readonly changes: { readonly files: number; readonly added: number; readonly removed: number };
  readonly created_by: string;
  readonly created_at: string;
};

const MOST_LISTED = 200;
/** Of a prompt, in a table. */
const MOST_CHARACTERS = 60;

export const projectVersions: Command = {
  name: 'project versions',
  usage: 'ID [--limit N]',
  summary: 'Lists the versions of a project, newest first.',
  help: ['ID  of the project, or its name', '--limit N  at most so many (default: 50)'],
  options: { limit: { type: 'string' } },
  positionals: 1,

  async run({ positionals, texts, flags }, deps) {
    const given = projectIn(positionals);
    const limit = readLimit(texts.get('limit'), MOST_LISTED);
    const page = (await withServer(deps, async (server) => {
      const { id } = await findProject(server, given);
      return askOrFail(server.ask, { method: 'GET', path: projectPath(id, `/versions?limit=${limit}`) });
      // The routes' own schemas are checked where they are made.
    })) as { readonly versions: readonly Version[]; readonly next: number | null };
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, ...page }));
    else deps.out(page.versions.length === 0 ? 'There is no version yet.' : toText(page.versions));
    return 0;
  },
};

function toText(versions: readonly Version[]): string {
  return toTable([
    ['NO', 'MADE', 'BY', 'UPDATE', 'FILES', 'LINES', 'COMMIT', 'WHAT'],
    ...versions.map((version) => [
      String(version.no),
      version.created_at,
      version.created_by,
      String(version.update_id),
      String(version.changes.files),
      `+${version.changes.added} -${version.changes.removed}`,
      version.commit.slice(0, 10),
      toWhat(version),
    ]),
  ]);
}

function toWhat({ restored_from: restored, title, prompt, kind }: Version): string {
  if (restored !== null) return `restores version ${restored}`;
  const line = (title ?? prompt ?? kind).replaceAll(/\s+/g, ' ');
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
}

export const projectDiff: Command = {
  name: 'project diff',
  usage: 'ID [FROM] TO',
  summary: 'Shows what changed between two versions, or in one.',
  help: [
    'ID  of the project, or its name',
    'FROM  a version; 0 is nothing; without it, the one before TO',
    'TO  a version',
  ],
  options: {},
  positionals: 3,

  async run({ positionals, flags }, deps) {
    const given = projectIn(positionals);
    const numbers = positionals.slice(1);
    const [to] = numbers.slice(-1);
    if (to === undefined) throw new UsageError('which version? TO is missing');
    const no = readCount(to, 'TO');
    const from = numbers.length === 1 ? '' : `?from=${readCount(numbers[0], 'FROM', 0)}`;
    const diff = (await withServer(deps, async (server) => {
      const { id } = await findProject(server, given);
      return askOrFail(server.ask, { method: 'GET', path: projectPath(id, `/versions/${no}/diff${from}`) });
    })) as { readonly diff: string; readonly cut: boolean };
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, ...diff }));
    else if (diff.diff !== '') deps.out(diff.diff.trimEnd());
    if (diff.cut && !flags.has('json')) deps.err('The rest is left out: it is too long.');
    return 0;
  },
};
