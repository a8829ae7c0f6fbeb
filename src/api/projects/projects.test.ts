import { hash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { AS_ADMIN } from '../../../test/fixtures/front-doors.ts';
import { as, openProjectDoors, type ProjectDoors } from '../../../test/fixtures/project-doors.ts';

let memory: ProjectDoors['memory'];
let ask: ProjectDoors['ask'];
let make: ProjectDoors['make'];
let tokenFor: ProjectDoors['tokenFor'];
let queue: ProjectDoors['queue'];
beforeEach(async () => {
  ({ memory, ask, make, tokenFor, queue } = await openProjectDoors());
});

describe('projects', () => {
  it('are made, shown, changed and deleted', async () => {
    const made = await ask('POST', '/v1/projects', AS_ADMIN, { name: ' Shop ', policy: { fix_turns: 3 } });
    expect(made.statusCode).toBe(201);
    expect(made.headers.location).toBe('/v1/projects/p1');
    const project = made.json();
    expect(project).toMatchObject({
      id: 'p1',
      name: 'Shop',
      owner_id: 'admin',
      state: 'active',
      policy: { fix_turns: 3, resume: 'on' },
      head: { version: null, commit: null, has_session: false },
    });
    expect((await ask('GET', '/v1/projects/p1')).json()).toEqual(project);

    const change = { name: 'Store', policy: { resume: 'off' }, state: 'frozen' };
    expect((await ask('PATCH', '/v1/projects/p1', AS_ADMIN, change)).json()).toMatchObject({
      name: 'Store',
      state: 'frozen',
      policy: { fix_turns: 3, resume: 'off' },
    });
    const gone = await ask('DELETE', '/v1/projects/p1');
    expect([gone.statusCode, gone.json()]).toEqual([202, { id: 'p1', deleted: true }]);
    expect((await ask('GET', '/v1/projects/p1')).statusCode).toBe(404);
  });

  it('are listed page by page', async () => {
    for (const name of ['a', 'b', 'c']) await make(name);
    const first = (await ask('GET', '/v1/projects?limit=2')).json();
    expect(first.projects.map(({ name }: { name: string }) => name)).toEqual(['a', 'b']);
    const last = (await ask('GET', `/v1/projects?limit=2&after=${first.next}`)).json();
    expect(last).toMatchObject({ projects: [{ name: 'c' }], next: null });
  });

  it.each([
    ['no name', {}],
    ['an empty name', { name: '  ' }],
    ['a name that is a path', { name: '../../etc' }],
    ['a name that is a folder above', { name: '..' }],
    ['a name with a backslash', { name: 'a\\b' }],
    ['a name with a control character', { name: 'a\u0000b' }],
    ['a policy that is none', { name: 'a', policy: { resume: 'maybe' } }],
    ['a policy field that is none', { name: 'a', policy: { speed: 9 } }],
    ['a field that is none', { name: 'a', colour: 'blue' }],
  ])('%s is refused', async (_title, body) => {
    const answer = await ask('POST', '/v1/projects', AS_ADMIN, body);
    expect([answer.statusCode, answer.json().code]).toEqual([422, 'invalid_fields']);
  });

  it('a source that cannot be imported is refused with the reason', async () => {
    const answer = await ask('POST', '/v1/projects', AS_ADMIN, { name: 'a', import_from: '/nowhere' });
    expect(answer.json()).toMatchObject({
      status: 422,
      code: 'import_refused',
      detail: 'it is no git repository',
    });
  });

  it.each([
    [{ policy: { resume: 'maybe' } }],
    [{ policy: { speed: 9 } }],
    [{ state: 'deleting' }],
    [{ name: '..' }],
  ])('a change to %j is refused', async (body) => {
    const answer = await ask('PATCH', `/v1/projects/${await make()}`, AS_ADMIN, body);
    expect([answer.statusCode, answer.json().code]).toEqual([422, 'invalid_fields']);
  });
});

describe('project tokens', () => {
  it('are shown once, kept as a hash, listed and revoked', async () => {
    const project = await make();
    const body = { user_id: 'ada', label: 'the shop' };
    const made = (await ask('POST', `/v1/projects/${project}/tokens`, AS_ADMIN, body)).json();
    expect(made).toMatchObject({ user_id: 'ada', label: 'the shop', revoked_at: null });
    expect(made.token).toMatch(/^fkp_[\w-]{43}$/);
    const kept = await memory.projects.records.findToken(hash('sha256', made.token, 'hex'));
    expect(kept).toMatchObject({ id: made.id, userId: 'ada' });

    const listed = await ask('GET', `/v1/projects/${project}/tokens`);
    expect(listed.json()).toMatchObject({ tokens: [{ id: made.id, label: 'the shop' }] });
    expect(listed.body).not.toContain(made.token);
    expect((await ask('GET', `/v1/projects/${project}`, as(made.token))).statusCode).toBe(200);

    const address = `/v1/projects/${project}/tokens/${made.id}`;
    expect((await ask('DELETE', address)).json()).toEqual({ id: made.id, revoked: true });
    expect((await ask('DELETE', address)).json()).toMatchObject({ status: 404, code: 'unknown_token' });
    const refused = await ask('GET', `/v1/projects/${project}`, as(made.token));
    expect(refused.json()).toMatchObject({ status: 401, code: 'wrong_project_token' });
    expect(refused.headers['www-authenticate']).toBe('Bearer');
  });

  it('are never given to the administrator', async () => {
    const body = { user_id: 'admin' };
    const answer = await ask('POST', `/v1/projects/${await make()}/tokens`, AS_ADMIN, body);
    expect(answer.statusCode).toBe(422);
  });
});

describe('whoever acts', () => {
  it('is the user of the token, and nobody else', async () => {
    const project = await make();
    const headers = await tokenFor(project, 'ada');
    expect((await queue(project, '1', {}, headers)).json().user_id).toBe('ada');
    expect((await queue(project, '2', { user_id: 'ada' }, headers)).statusCode).toBe(202);
    const foreign = await queue(project, '3', { user_id: 'bob' }, headers);
    expect(foreign.json()).toMatchObject({ status: 403, code: 'foreign_user' });
  });

  it('is for the administrator anybody who may change the project', async () => {
    const project = await make('Shop', 'owner');
    expect((await queue(project, '1', { user_id: 'owner' })).json().user_id).toBe('owner');
    expect((await queue(project, '2', { user_id: 'nobody' })).json().code).toBe('foreign_user');
    await tokenFor(project, 'bob');
    expect((await queue(project, '3', { user_id: 'bob' })).statusCode).toBe(202);
  });
});
