import { beforeEach, describe, expect, it } from 'vitest';
import { AS_ADMIN } from '../../../test/fixtures/front-doors.ts';
import {
  type Headers,
  keyed,
  openProjectDoors,
  type ProjectDoors,
} from '../../../test/fixtures/project-doors.ts';
import type { Update, UpdateId } from '../../projects/projects.ts';

let memory: ProjectDoors['memory'];
let ask: ProjectDoors['ask'];
let make: ProjectDoors['make'];
let queue: ProjectDoors['queue'];
beforeEach(async () => {
  ({ memory, ask, make, queue } = await openProjectDoors());
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

  it('J9: that could not be stored is never said to be queued', async () => {
    const project = await make();
    memory.projects.enqueue = async () => {
      throw new Error('the disk is gone');
    };
    const answer = await queue(project);
    expect([answer.statusCode, answer.json().code]).toEqual([500, 'internal_error']);
    expect(answer.body).not.toContain('disk');
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
