import { hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { AS_ADMIN, type Doors, openDoors } from '../../../test/fixtures/front-doors.ts';
import { type MemoryProjects, makeMemoryProjects } from '../../../test/fixtures/memory-projects.ts';
import type { ProjectId, Update, UpdateId } from '../../projects/projects.ts';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
type Headers = Readonly<Record<string, string>>;

let memory: MemoryProjects;
let doors: Doors;
beforeEach(async () => {
  const clock = makeFakeClock();
  memory = makeMemoryProjects(clock);
  doors = await openDoors({ projects: memory.projects, clock });
});
afterEach(() => doors.close());

function ask(method: Method, url: string, headers: Headers = AS_ADMIN, payload?: object | string) {
  return doors.http.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
}
const as = (token: string): Headers => ({ authorization: `Bearer ${token}` });
const keyed = (key: string, headers: Headers = AS_ADMIN): Headers => ({ ...headers, 'idempotency-key': key });

async function make(name = 'Shop', owner?: string): Promise<ProjectId> {
  const answer = await ask('POST', '/v1/projects', AS_ADMIN, { name, ...(owner ? { user_id: owner } : {}) });
  expect(answer.statusCode).toBe(201);
  return answer.json().id;
}
async function tokenFor(project: ProjectId, user = 'ada'): Promise<string> {
  const answer = await ask('POST', `/v1/projects/${project}/tokens`, AS_ADMIN, { user_id: user });
  return answer.json().token;
}
async function queue(project: ProjectId, key = 'k', body: object = {}, headers: Headers = AS_ADMIN) {
  const payload = { prompt: 'Make it blue', ...body };
  return ask('POST', `/v1/projects/${project}/updates`, keyed(key, headers), payload);
}

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

describe('an update', () => {
  it('is queued and answered with its address', async () => {
    const project = await make();
    const answer = await queue(project, 'k', { resume: 'never', metadata: { documentation: true } });
    expect([answer.statusCode, answer.headers.location]).toEqual([202, '/v1/updates/1']);
    expect(answer.json()).toEqual({
      id: 1,
      project_id: project,
      kind: 'update',
      user_id: 'admin',
      prompt: 'Make it blue',
      status: 'queued',
      step: null,
      wait: null,
      attempt: 0,
      resume: { policy: 'never', decision: null, reason: null, outcome: null, arm: null },
      base_version: null,
      result_version: null,
      restore_version: null,
      degraded: [],
      error: null,
      progress: 0,
      fix_turns: 0,
      cancel_requested: false,
      cost: { total_usd: 0, currency: 'USD', complete: true },
      tokens: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
      times: { queued: '2026-01-01T00:00:00.000Z', started: null, committed: null, finished: null },
      links: {
        self: '/v1/updates/1',
        events: '/v1/updates/1/events',
        project: `/v1/projects/${project}`,
        version: null,
      },
    });
    const stored = await memory.projects.updates.get(1 as UpdateId);
    expect(stored?.options).toEqual({
      resume: 'never',
      expectedVersion: null,
      restoreVersion: null,
      recommendations: null,
      documentation: true,
      compact: 'auto',
    });
  });

  it('is the same one for the same key and request, and another request by that key is refused', async () => {
    const project = await make();
    const [one, again] = [await queue(project), await queue(project)];
    expect([again.statusCode, again.json()]).toEqual([202, one.json()]);
    expect((await queue(project, 'other')).json().id).toBe(2);
    for (const body of [{ prompt: 'Make it red' }, { resume: 'never' }]) {
      const answer = await queue(project, 'k', body);
      expect([answer.statusCode, answer.json().code]).toEqual([409, 'idempotency_conflict']);
    }
  });

  it.each([
    ['no key', {}, 400, 'idempotency_key_missing'],
    ['an empty key', { 'idempotency-key': ' ' }, 400, 'idempotency_key_missing'],
    ['a key too long', { 'idempotency-key': 'k'.repeat(129) }, 400, 'idempotency_key_missing'],
    ['a version that is none', { 'idempotency-key': 'k', 'if-match': 'v1' }, 422, 'invalid_fields'],
    [
      'a version that is not the latest',
      { 'idempotency-key': 'k', 'if-match': '"v9"' },
      412,
      'version_mismatch',
    ],
  ])('with %s is refused', async (_title, headers: Headers, status, code) => {
    const address = `/v1/projects/${await make()}/updates`;
    const answer = await ask('POST', address, { ...AS_ADMIN, ...headers }, { prompt: 'Make it blue' });
    expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
    expect(await memory.projects.updates.get(1 as UpdateId)).toBeNull();
  });

  it('of the version that it names is queued', async () => {
    const project = await make();
    memory.addVersion(project);
    const headers = { ...AS_ADMIN, 'if-match': '"v1"' };
    expect((await queue(project, 'k', {}, headers)).statusCode).toBe(202);
    expect((await memory.projects.updates.get(1 as UpdateId))?.options.expectedVersion).toBe(1);
  });

  it.each([
    ['an empty prompt', { prompt: ' \n' }, 422, 'invalid_fields'],
    ['a prompt that is none', { prompt: 7 }, 422, 'invalid_fields'],
    ['a field that is none', { prompt: 'a', priority: 1 }, 422, 'invalid_fields'],
    ['a prompt of 64 KiB and one', { prompt: 'a'.repeat(65_537) }, 413, 'too_large'],
    ['a prompt of 64 KiB in fewer characters', { prompt: 'ä'.repeat(32_769) }, 413, 'too_large'],
    ['a prompt of 1 MB', { prompt: 'a'.repeat(1_000_000) }, 413, 'too_large'],
  ])('with %s is refused', async (_title, body, status, code) => {
    const answer = await queue(await make(), 'k', body);
    expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
  });

  it('with a prompt of 64 KiB is taken, however it is escaped', async () => {
    const payload = `{"prompt":"${'\\u0061'.repeat(65_536)}"}`;
    const headers = { ...keyed('k'), 'content-type': 'application/json' };
    const answer = await ask('POST', `/v1/projects/${await make()}/updates`, headers, payload);
    expect(answer.statusCode).toBe(202);
  });

  it('waits for no place in a full queue', async () => {
    const project = await make();
    for (const key of ['1', '2', '3']) expect((await queue(project, key)).statusCode).toBe(202);
    const answer = await queue(project, '4');
    expect(answer.json()).toMatchObject({ status: 429, code: 'queue_full', retry_after_s: 30 });
    expect(answer.headers['retry-after']).toBe('30');
    expect((await queue(await make('other'), '4')).statusCode).toBe(202);
  });

  it('is refused while the project is frozen', async () => {
    const project = await make();
    await ask('PATCH', `/v1/projects/${project}`, AS_ADMIN, { state: 'frozen' });
    expect((await queue(project)).json()).toMatchObject({ status: 409, code: 'project_frozen' });
  });

  it('is shown as it is, without what the agent and its provider said', async () => {
    const project = await make();
    await queue(project);
    const id = 1 as UpdateId;
    memory.addRun(id);
    const update: Partial<Update> = {
      status: 'failed',
      step: 'edit',
      attempt: 3,
      error: { code: 'agent_failed', detail: 'what the provider said' },
      resume: { decision: 'resume', reason: 'ok', outcome: 'failed', arm: 'resume' },
      spent: {
        costUsd: 0.5,
        inputTokens: 1,
        outputTokens: 2,
        cacheReadTokens: 3,
        cacheWriteTokens: 4,
        runsWithoutCost: 1,
      },
    };
    memory.happen(id, 'update.failed', { update });
    const shown = await ask('GET', '/v1/updates/1');
    expect(shown.json()).toMatchObject({
      status: 'failed',
      error: { code: 'agent_failed', title: 'The agent ended without a result.', retryable: true },
      resume: { decision: 'resume', outcome: 'failed' },
      cost: { total_usd: 0.5, complete: false },
      tokens: { input: 1, output: 2, cache_read: 3, cache_write: 4 },
      progress: 0.05,
    });
    const runs = await ask('GET', '/v1/updates/1/runs');
    expect(runs.json()).toMatchObject({ runs: [{ purpose: 'edit', mode: 'fork', steps: 4 }] });
    for (const { body } of [shown, runs]) expect(body).not.toMatch(/provider said|agents-own-session/);
  });

  it('J7: is not sent again to who knows it', async () => {
    await queue(await make());
    const first = await ask('GET', '/v1/updates/1');
    const etag = String(first.headers.etag);
    expect(first.headers['cache-control']).toBe('private, no-cache');
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`]) {
      const again = await ask('GET', '/v1/updates/1', { ...AS_ADMIN, 'if-none-match': known });
      expect([again.statusCode, again.body]).toEqual([304, '']);
    }
    memory.happen(1 as UpdateId, 'update.started', { update: { status: 'running' } });
    const after = await ask('GET', '/v1/updates/1', { ...AS_ADMIN, 'if-none-match': etag });
    expect([after.statusCode, after.json().status]).toEqual([200, 'running']);
  });

  it('is listed with the others, newest first, page by page and by status', async () => {
    const project = await make();
    for (const key of ['1', '2', '3']) await queue(project, key);
    memory.happen(2 as UpdateId, 'update.started', { update: { status: 'running' } });
    const idsOf = (body: { updates: { id: number }[] }) => body.updates.map(({ id }) => id);
    const first = (await ask('GET', `/v1/projects/${project}/updates?limit=2`)).json();
    expect([idsOf(first), first.next]).toEqual([[3, 2], 2]);
    const last = (await ask('GET', `/v1/projects/${project}/updates?limit=2&before=2`)).json();
    expect([idsOf(last), last.next]).toEqual([[1], null]);
    const running = (await ask('GET', `/v1/projects/${project}/updates?status=running`)).json();
    expect(idsOf(running)).toEqual([2]);
  });

  it('E8: is cancelled at once, asked to end, or has ended', async () => {
    const project = await make();
    for (const key of ['1', '2', '3']) await queue(project, key);
    memory.happen(2 as UpdateId, 'update.started', { update: { status: 'running' } });
    memory.happen(3 as UpdateId, 'update.completed', { update: { status: 'completed' } });
    const cancel = (id: number) => ask('POST', `/v1/updates/${id}/cancel`);
    for (const _ of ['first', 'again']) {
      const answer = await cancel(1);
      expect([answer.statusCode, answer.json().status]).toEqual([200, 'cancelled']);
    }
    const asked = await cancel(2);
    expect([asked.statusCode, asked.json().cancel_requested]).toEqual([202, true]);
    expect((await cancel(3)).json()).toMatchObject({ status: 409, code: 'already_ended' });
  });
});

describe('versions', () => {
  let project: ProjectId;
  beforeEach(async () => {
    project = await make();
    for (const _ of [1, 2, 3]) memory.addVersion(project);
  });

  it('are listed newest first and shown without sessions', async () => {
    const first = (await ask('GET', `/v1/projects/${project}/versions?limit=2`)).json();
    expect(first).toMatchObject({ versions: [{ no: 3, parent: 2 }, { no: 2 }], next: 2 });
    const last = (await ask('GET', `/v1/projects/${project}/versions?before=2`)).json();
    expect(last).toMatchObject({ versions: [{ no: 1, parent: null }], next: null });
    const one = await ask('GET', `/v1/projects/${project}/versions/2`);
    expect(one.json()).toMatchObject({
      no: 2,
      title: 'Blue',
      change_type: 'minor',
      metadata: 'ready',
      documentation: '# Blue',
      changes: { files: 1, added: 2, removed: 3 },
    });
    expect(one.body).not.toContain('agents-own-session');
  });

  it('have recommendations, a diff and an archive', async () => {
    const address = `/v1/projects/${project}/versions/3`;
    expect((await ask('GET', `${address}/recommendations`)).json()).toMatchObject({
      state: 'ready',
      recommendations: [{ title: 'Green', prompt: 'Make it green' }],
    });
    const diffOf = async (query = '') => (await ask('GET', `${address}/diff${query}`)).json();
    expect(await diffOf()).toEqual({ from: 2, to: 3, diff: 'diff 2..3', cut: false });
    expect((await diffOf('?from=0')).diff).toBe('diff 0..3');
    expect(await diffOf('?from=9')).toMatchObject({ status: 404, code: 'unknown_version' });
    const archive = await ask('GET', `${address}/archive`);
    expect(archive.body).toBe('archive of 3');
    expect(archive.headers).toMatchObject({
      'content-type': 'application/x-tar',
      'content-disposition': `attachment; filename="${project}-v3.tar"`,
    });
  });

  it('are restored by a queued update', async () => {
    const address = `/v1/projects/${project}/versions/2/restore`;
    expect((await ask('POST', address)).json()).toMatchObject({ code: 'idempotency_key_missing' });
    const answers = [await ask('POST', address, keyed('k')), await ask('POST', address, keyed('k'))];
    for (const answer of answers) {
      expect([answer.statusCode, answer.headers.location]).toEqual([202, '/v1/updates/1']);
      expect(answer.json()).toMatchObject({ kind: 'restore', restore_version: 2, prompt: null });
    }
  });

  it.each(['0', '9', '-1', 'x', '..%2f1', '1.5'])('there is none with the number %s', async (no) => {
    const answer = await ask('GET', `/v1/projects/${project}/versions/${no}`);
    expect([answer.statusCode, answer.json().code]).toEqual([404, 'unknown_version']);
  });
});

describe('the session of a project', () => {
  it('is shown without its id, with what the next update would do', async () => {
    const project = await make();
    const address = `/v1/projects/${project}/session`;
    expect((await ask('GET', address)).json()).toMatchObject({ session: null, next: { decision: 'fresh' } });
    memory.addVersion(project);
    const shown = await ask('GET', address);
    expect(shown.json()).toMatchObject({
      session: { state: 'active', context_tokens: 1_200, failures: 0, descends: false },
      next: { decision: 'resume' },
    });
    expect(shown.body).not.toContain('agents-own-session');
  });

  it('is given up, which the audit tells', async () => {
    const project = await make();
    memory.addVersion(project);
    const reset = `/v1/projects/${project}/session/reset`;
    expect((await ask('POST', reset)).json()).toEqual({ status: 'success', project_id: project });
    const audit = await ask('GET', `/v1/projects/${project}/session/audit`);
    expect(audit.json()).toMatchObject({
      entries: [{ id: 1, event: 'reset', user_id: 'admin' }],
      next: null,
    });
    expect(audit.body).not.toContain('agents-own-session');

    await queue(project);
    memory.happen(1 as UpdateId, 'update.started', { update: { status: 'running' } });
    expect((await ask('POST', reset)).json()).toMatchObject({ status: 409, code: 'project_busy' });
  });

  it('is compacted by a queued update', async () => {
    const address = `/v1/projects/${await make()}/session/compact`;
    expect((await ask('POST', address)).json()).toMatchObject({ code: 'idempotency_key_missing' });
    const answer = await ask('POST', address, keyed('k'));
    expect([answer.statusCode, answer.json().kind]).toEqual([202, 'compact']);
  });
});

describe('GET /v1/metrics/resume', () => {
  it('reports the last 30 days unless asked otherwise', async () => {
    expect((await ask('GET', '/v1/metrics/resume')).json()).toMatchObject({
      from: '2025-12-02T00:00:00.000Z',
      to: '2026-01-01T00:00:00.000Z',
      project_id: null,
      attempted: 4,
      accepted_share: 0.75,
      useful_share: 0.5,
      fresh_by: { no_session: 1 },
      resume: { count: 4, median_cost_usd: 0.25 },
      saved: { kind: 'insufficient data', needed: 20 },
    });
    const project = await make();
    const query = `from=2025-12-31T00:00:00Z&to=2025-12-31T02:00:00%2B01:00&project_id=${project}`;
    expect((await ask('GET', `/v1/metrics/resume?${query}`)).json()).toMatchObject({
      to: '2025-12-31T01:00:00.000Z',
      project_id: project,
    });
  });

  it.each([
    ['from=yesterday', 422],
    ['from=2026-01-02T00:00:00Z', 422],
    ['project_id=none', 404],
  ])('refuses ?%s', async (query, status) => {
    expect((await ask('GET', `/v1/metrics/resume?${query}`)).statusCode).toBe(status);
  });

  it("is a token's own project's", async () => {
    const [mine, other] = [await make(), await make('other')];
    const headers = as(await tokenFor(mine));
    expect((await ask('GET', '/v1/metrics/resume', headers)).json().project_id).toBe(mine);
    const foreign = await ask('GET', `/v1/metrics/resume?project_id=${other}`, headers);
    expect(foreign.json()).toMatchObject({ status: 404, code: 'unknown_project' });
  });
});

describe('whoever acts', () => {
  it('is the user of the token, and nobody else', async () => {
    const project = await make();
    const headers = as(await tokenFor(project, 'ada'));
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
