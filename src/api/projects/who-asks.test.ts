import type { HTTPMethods, RouteOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { AS_ADMIN, type Doors, openDoors } from '../../../test/fixtures/front-doors.ts';
import { type MemoryProjects, makeMemoryProjects } from '../../../test/fixtures/memory-projects.ts';
import { DEFAULT_POLICY, type Project, type ProjectId } from '../../projects/projects.ts';
import { newProjectToken } from './who-asks.ts';

type Headers = Readonly<Record<string, string>>;
type Route = { readonly method: HTTPMethods; readonly url: string };

/** Addresses with something of a project in them; the generated tests below fail when one is forgotten here. */
const VALUES: Readonly<Record<string, string>> = { ':no': '1', ':token': '1' };

let memory: MemoryProjects;
let doors: Doors;
let routes: readonly Route[];
let mine: Project;
let other: Project;
let token: Headers;

beforeEach(async () => {
  const clock = makeFakeClock();
  memory = makeMemoryProjects(clock);
  const seen: RouteOptions[] = [];
  doors = await openDoors({ projects: memory.projects, clock, onRoute: (route) => seen.push(route) });
  routes = seen
    .filter(({ url }) => url.startsWith('/v1/') || url === '/update-project')
    .flatMap(({ method, url }) => [method].flat().map((one) => ({ method: one, url })))
    .filter(({ method }) => method !== 'HEAD');
  mine = await make('mine');
  other = await make('other');
  for (const { id } of [mine, other]) {
    memory.addVersion(id);
    await queue(id);
  }
  token = await tokenFor(mine.id);
});
afterEach(() => doors.close());

function make(name: string): Promise<Project> {
  return memory.projects.create({ name, ownerId: 'owner', policy: DEFAULT_POLICY, importFrom: null });
}
function queue(projectId: ProjectId) {
  const options = {
    resume: 'auto',
    expectedVersion: null,
    restoreVersion: null,
    recommendations: null,
    documentation: null,
    compact: 'auto',
  } as const;
  const wish = { projectId, userId: 'owner', kind: 'update', prompt: 'a', options } as const;
  return memory.projects.enqueue({ ...wish, idempotencyKey: 'k', digest: 'd' });
}
async function tokenFor(projectId: ProjectId): Promise<Headers> {
  const { token, hash } = newProjectToken();
  await memory.projects.records.addToken({ projectId, userId: 'ada', label: '', hash });
  return { authorization: `Bearer ${token}` };
}
function ask({ method, url }: Route, headers: Headers, payload?: string) {
  const type = { 'content-type': 'application/json' };
  const body = payload === undefined ? {} : { payload, headers: { ...headers, ...type } };
  return doors.http.inject({ method, url, headers, ...body });
}
/** The route's address with an id of the kind that it is about. */
function fill({ method, url }: Route, ids: { readonly project: string; readonly update: string }): Route {
  const id = url.startsWith('/v1/updates/') ? ids.update : ids.project;
  const filled = url.replaceAll(/:\w+/g, (name) => (name === ':id' ? id : (VALUES[name] ?? name)));
  expect(filled).not.toContain(':');
  return { method, url: filled };
}
const nameOf = ({ method, url }: Route) => `${method} ${url}`;
const withId = () => routes.filter(({ url }) => url.includes(':id'));

describe('every route of projects', () => {
  it('is known here', () => {
    expect(routes.map(nameOf).sort()).toMatchInlineSnapshot(`
      [
        "DELETE /v1/projects/:id",
        "DELETE /v1/projects/:id/tokens/:token",
        "GET /v1/metrics/resume",
        "GET /v1/projects",
        "GET /v1/projects/:id",
        "GET /v1/projects/:id/session",
        "GET /v1/projects/:id/session/audit",
        "GET /v1/projects/:id/tokens",
        "GET /v1/projects/:id/updates",
        "GET /v1/projects/:id/versions",
        "GET /v1/projects/:id/versions/:no",
        "GET /v1/projects/:id/versions/:no/archive",
        "GET /v1/projects/:id/versions/:no/diff",
        "GET /v1/projects/:id/versions/:no/recommendations",
        "GET /v1/updates/:id",
        "GET /v1/updates/:id/events",
        "GET /v1/updates/:id/runs",
        "PATCH /v1/projects/:id",
        "POST /update-project",
        "POST /v1/create-preview-for-new-project",
        "POST /v1/projects",
        "POST /v1/projects/:id/session/compact",
        "POST /v1/projects/:id/session/reset",
        "POST /v1/projects/:id/tokens",
        "POST /v1/projects/:id/updates",
        "POST /v1/projects/:id/versions/:no/restore",
        "POST /v1/update-project",
        "POST /v1/updates/:id/cancel",
      ]
    `);
  });

  it('needs a token, before anything of the request is read', async () => {
    for (const route of routes) {
      const filled = fill(route, { project: mine.id, update: '1' });
      const given = filled.method === 'GET' ? undefined : '{ broken';
      const open = await ask(filled, {}, given);
      expect([nameOf(route), open.statusCode, open.json().code]).toEqual([
        nameOf(route),
        401,
        'login_required',
      ]);
      const wrong = await ask(filled, { authorization: `Bearer ${newProjectToken().token}` }, given);
      expect([nameOf(route), wrong.json().code]).toEqual([nameOf(route), 'wrong_project_token']);
    }
  });

  it("F1: answers a foreign project's or update's id like one that does not exist, before a body is read", async () => {
    for (const route of withId()) {
      const given = route.method === 'GET' ? undefined : '{ broken';
      const foreign = await ask(fill(route, { project: other.id, update: '2' }), token, given);
      const unknown = await ask(fill(route, { project: 'none', update: '99' }), token, given);
      const asAdmin = await ask(fill(route, { project: 'none', update: '99' }), AS_ADMIN, given);
      const code = route.url.startsWith('/v1/updates/') ? 'unknown_update' : 'unknown_project';
      expect([nameOf(route), foreign.statusCode, foreign.json().code]).toEqual([nameOf(route), 404, code]);
      expect(foreign.body).toBe(unknown.body);
      expect(asAdmin.body).toBe(unknown.body);
    }
  });

  it('knows no path in an id', async () => {
    const ids = ['..', '%2e%2e%2f%2e%2e%2fetc%2fpasswd', 'p1%00', "p1'--", '-1', '1e3', ' '];
    for (const route of withId())
      for (const id of ids) {
        const filled = fill(route, { project: encodeURIComponent(id), update: encodeURIComponent(id) });
        const { statusCode } = await ask(filled, AS_ADMIN);
        expect([nameOf(route), id, statusCode]).toEqual([nameOf(route), id, 404]);
      }
  });

  it('lets a token into its own project, but not where the administrator alone may', async () => {
    const refused: string[] = [];
    for (const route of routes) {
      const { statusCode } = await ask(fill(route, { project: mine.id, update: '1' }), token, undefined);
      expect([nameOf(route), statusCode]).not.toEqual([nameOf(route), 401]);
      if (statusCode === 403) refused.push(nameOf(route));
    }
    expect(refused.sort()).toEqual([
      'DELETE /v1/projects/:id',
      'DELETE /v1/projects/:id/tokens/:token',
      'GET /v1/projects',
      'GET /v1/projects/:id/tokens',
      'PATCH /v1/projects/:id',
      'POST /v1/projects',
      'POST /v1/projects/:id/tokens',
    ]);
  });

  it('stands in the OpenAPI document with its ways in', async () => {
    const document = (await ask({ method: 'GET', url: '/openapi.json' }, AS_ADMIN)).json();
    for (const { method, url } of routes) {
      const path = document.paths[url.replaceAll(/:(\w+)/g, '{$1}')];
      const shown = path?.[String(method).toLowerCase()];
      expect([url, shown?.summary]).toEqual([url, expect.any(String)]);
      expect(shown.security).toContainEqual({ projectToken: [] });
    }
  });
});

describe('a project token', () => {
  it('is no admin token', async () => {
    for (const url of ['/api/sessions', '/api/bots', '/session/stats', '/openapi.json'])
      expect((await ask({ method: 'GET', url }, token)).statusCode).toBe(401);
  });

  it('that is wrong keeps nobody else out, however often it is sent', async () => {
    const wrong = { authorization: `Bearer ${newProjectToken().token}` };
    for (const url of ['/v1/projects/p1', '/v1/nowhere', '/api/sessions'])
      for (let times = 0; times < 20; times++) await ask({ method: 'GET', url }, wrong);
    expect((await ask({ method: 'GET', url: '/v1/projects/p1' }, AS_ADMIN)).statusCode).toBe(200);
  });
});
