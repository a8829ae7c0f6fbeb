import { CommandFailed, UsageError } from './command.ts';
import { askOrFail, type ServerClient } from './server-client.ts';

/** A project as the server tells it, as far as it is shown. */
export type Project = {
  readonly id: string;
  readonly name: string;
  readonly owner_id: string;
  readonly state: string;
  readonly head: { readonly version: number | null; readonly has_session: boolean };
  readonly created_at: string;
};
type Page = { readonly projects: readonly Project[]; readonly next: string | null };

const PAGE = 200;
const MOST_LISTED = 10_000;

export function projectIn([id]: readonly string[]): string {
  if (id === undefined) throw new UsageError('which project? ID is missing');
  return id;
}

export function projectPath(id: string, rest = ''): string {
  return `/v1/projects/${encodeURIComponent(id)}${rest}`;
}

/** By its id, or by its name while no other one has it. */
export async function findProject(server: ServerClient, given: string): Promise<Project> {
  const { status, body } = await server.ask({ method: 'GET', path: projectPath(given) });
  // The routes' own schemas are checked where they are made.
  if (status === 200) return body as Project;
  const [named, another] = (await listProjects(server)).filter(({ name }) => name === given);
  if (named === undefined) throw new CommandFailed('unknown_project', `there is no project "${given}"`);
  if (another !== undefined)
    throw new CommandFailed('ambiguous', `several projects are called "${given}": say which by its id`);
  return named;
}

export async function listProjects({ ask }: ServerClient): Promise<readonly Project[]> {
  const projects: Project[] = [];
  let next: string | null = null;
  do {
    const after: string = next === null ? '' : `&after=${encodeURIComponent(next)}`;
    const page = (await askOrFail(ask, {
      method: 'GET',
      path: `/v1/projects?limit=${PAGE}${after}`,
    })) as Page;
    projects.push(...page.projects);
    next = page.next;
  } while (next !== null && projects.length < MOST_LISTED);
  return projects;
}

/** `what` is what the number counts, such as `NO`. */
export function readCount(text: string | undefined, what: string, least = 1): number {
  if (text === undefined || !/^v?\d{1,9}$/.test(text) || Number(text.replace('v', '')) < least)
    throw new UsageError(`${what} is a number from ${least}`);
  return Number(text.replace('v', ''));
}
