import { beforeEach, describe, expect, it } from 'vitest';
import { keyed, openProjectDoors, type ProjectDoors } from '../../../test/fixtures/project-doors.ts';
import type { ProjectId, UpdateId } from '../../projects/projects.ts';

let memory: ProjectDoors['memory'];
let ask: ProjectDoors['ask'];
let make: ProjectDoors['make'];
let tokenFor: ProjectDoors['tokenFor'];
let queue: ProjectDoors['queue'];
beforeEach(async () => {
  ({ memory, ask, make, tokenFor, queue } = await openProjectDoors());
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
    const headers = await tokenFor(mine);
    expect((await ask('GET', '/v1/metrics/resume', headers)).json().project_id).toBe(mine);
    const foreign = await ask('GET', `/v1/metrics/resume?project_id=${other}`, headers);
    expect(foreign.json()).toMatchObject({ status: 404, code: 'unknown_project' });
  });
});
