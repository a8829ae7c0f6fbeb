/** What becomes of an update whose agent, endpoint or checks fail. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MessagesRequest } from '../../src/agent/offline/answer.ts';
import { METADATA_LINE } from '../../src/projects/metadata.ts';
import type { Policy, ProjectId, Update } from '../../src/projects/projects.ts';
import { makeProjectWorld, type ProjectWorld, queued, write } from './project-world.ts';
import { waitFor } from './server.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } satisfies Partial<Policy>;

async function outcomes({ projects }: ProjectWorld, { id }: Update): Promise<readonly string[]> {
  return (await projects.updates.runs(id)).map(({ mode, outcome }) => `${mode} ${outcome}`);
}

/** Its files, its branch and the database say the same, and nothing is left over. */
async function expectWhole(world: ProjectWorld, id: ProjectId): Promise<void> {
  const { commit } = await world.head(id);
  expect(world.git(id, 'for-each-ref', '--format=%(objectname)', 'refs/heads/main')).toBe(commit ?? '');
  const diff = world.git(id, '--work-tree', world.workdir(id), 'status', '--porcelain');
  expect(diff.split('\n').filter((line) => line !== '' && commit !== null)).toEqual([]);
}

/** The process may add remarks of its own after what somebody said. */
function askedFor({ messages }: MessagesRequest, words: string): boolean {
  return JSON.stringify(messages.findLast(({ role }) => role === 'user')).includes(words);
}

async function pidOf(world: ProjectWorld, id: ProjectId): Promise<number | null> {
  const census = await world.app.parts.agents.census();
  return census.find(({ conversation }) => conversation === `project:${id}`)?.pid ?? null;
}

describe('an update', () => {
  it('C-1 whose transcript its agent does not find goes on fresh in the same attempt', async () => {
    const lost = new Set<string>();
    const world = await makeProjectWorld({
      wrapStore: (store) => ({
        ...store,
        transcripts: {
          ...store.transcripts,
          load: async (id, subpath) => (lost.has(id) ? null : store.transcripts.load(id, subpath)),
        },
      }),
    });
    const { id } = await world.newProject(QUIET);
    await world.update(id, write('a.txt', 'one'));
    const { session } = await world.head(id);
    lost.add(session ?? '');
    const update = await world.update(id, write('b.txt', 'two'));
    expect(update).toMatchObject({
      status: 'completed',
      attempt: 1,
      degraded: ['fell_back'],
      resume: { decision: 'resume', reason: 'ok', outcome: 'fell-back' },
    });
    expect(await outcomes(world, update)).toEqual(['fork no-transcript', 'fresh ok']);
    expect((await world.session(id, session)).state).toBe('lost');
    const types = (await world.events(update.id)).map(({ type }) => type);
    expect(types).toContain('resume.fell_back');
    expect(types.filter((type) => /update\.(completed|failed|cancelled)/.test(type))).toEqual([
      'update.completed',
    ]);
  });

  it('C-4, B7 gives a session up that its process cannot be started with, and goes on without', async () => {
    const bad = new Set<string>();
    const world = await makeProjectWorld({
      wrapStore: (store) => ({
        ...store,
        transcripts: {
          ...store.transcripts,
          async load(id, subpath) {
            if (bad.has(id)) throw new Error('it cannot be read');
            return store.transcripts.load(id, subpath);
          },
        },
      }),
    });
    const { id } = await world.newProject({ ...QUIET, max_failures: 1 });
    await world.update(id, write('a.txt', 'one'));
    const { session } = await world.head(id);
    bad.add(session ?? '');
    const update = await world.update(id, write('b.txt', 'two'));
    expect(update).toMatchObject({
      status: 'completed',
      attempt: 2,
      degraded: ['fell_back'],
      resume: { decision: 'resume', reason: 'ok', outcome: 'fell-back' },
    });
    expect(await outcomes(world, update)).toEqual(['fork not-started', 'fresh ok']);
    expect(await world.session(id, session)).toMatchObject({ state: 'quarantined', failures: 1 });
    expect((await world.update(id, write('c.txt', 'x'))).resume).toMatchObject({
      reason: 'ok',
      outcome: 'accepted',
    });
  });

  it('C-2, J5 whose process dies half-way is begun again from the same session', async () => {
    const world = await makeProjectWorld();
    const { id } = await world.newProject(QUIET);
    await world.update(id, write('a.txt', 'one'));
    const before = await world.head(id);
    world.app.offlineModel?.setSpeed({ ttftMs: 600, tokensPerSecond: null });
    const files = ['b.txt', 'c.txt', 'd.txt'];
    const { id: update } = queued(
      await world.enqueue(id, { prompt: files.map((name) => write(name, name)).join(' then ') }),
    );
    await waitFor(async () => (existsSync(join(world.workdir(id), 'b.txt')) ? true : null));
    process.kill((await pidOf(world, id)) ?? 0, 'SIGKILL');
    await waitFor(async () =>
      (await world.projects.updates.get(update))?.status === 'queued' ? true : null,
    );
    expect(world.files(id)).toEqual(['a.txt']);
    expect(await world.projects.updates.get(update)).toMatchObject({ waitReason: 'back-off', attempt: 1 });
    world.app.offlineModel?.setSpeed({ ttftMs: 0, tokensPerSecond: null });
    const ended = await world.ended(update);
    expect(ended).toMatchObject({ status: 'completed', attempt: 2, resume: { outcome: 'accepted' } });
    expect(await outcomes(world, ended)).toEqual(['fork died', 'fork ok']);
    expect(world.files(id)).toEqual(['a.txt', ...files]);
    expect((await world.session(id, (await world.head(id)).session)).parentId).toBe(before.session);
    const types = (await world.events(update)).map(({ type }) => type);
    expect(types.filter((type) => type === 'update.retrying')).toHaveLength(1);
    await expectWhole(world, id);
  });

  it('C-11 is mended when its checks fail, and fails when they cannot be mended', async () => {
    const world = await makeProjectWorld();
    // The offline model does what the check's output says.
    const check = (wish: string) => [
      {
        name: 'test',
        command: ['sh', '-c', `grep -q good a.txt || { echo '${wish}'; exit 1; }`],
        timeout_seconds: 20,
      },
    ];
    const mends = await world.newProject({ ...QUIET, verify: check(write('a.txt', 'good')) });
    const fixed = await world.update(mends.id, write('a.txt', 'bad'));
    expect(fixed).toMatchObject({ status: 'completed', fixTurns: 1, resultVersion: 1, degraded: [] });
    expect(await outcomes(world, fixed)).toEqual(['fresh ok', 'resume ok']);
    expect(world.read(mends.id, 'a.txt')).toBe('good');
    expect((await world.update(mends.id, write('b.txt', 'x'))).resume.outcome).toBe('accepted');

    const broken = await world.newProject({ ...QUIET, fix_turns: 1, verify: check('no hope') });
    const failed = await world.update(broken.id, write('a.txt', 'bad'));
    expect(failed).toMatchObject({ status: 'failed', fixTurns: 1, error: { code: 'verify_failed' } });
    expect(await world.head(broken.id)).toMatchObject({ version: null, session: null, commit: null });
    expect(world.files(broken.id)).toEqual([]);
    const found = (await world.events(failed.id)).filter(({ type }) => type === 'verify.finished');
    expect(found.map(({ payload }) => payload.ok)).toEqual([false, false]);
  });

  it('C-12 completes whatever becomes of its description', async () => {
    const world = await makeProjectWorld();
    world.app.offlineModel?.setScript((request) =>
      askedFor(request, METADATA_LINE) ? { kind: 'text', text: 'I would rather not.', delayMs: 0 } : null,
    );
    const { id } = await world.newProject({ documentation: true });
    const update = await world.update(id, write('a.txt', 'one'));
    expect(update).toMatchObject({
      status: 'completed',
      degraded: ['recommendations_failed'],
      resultVersion: 1,
    });
    expect((await world.version(id, 1)).metadata).toMatchObject({ state: 'partial', title: null });
    expect((await world.version(id, 1)).metadata.documentation).toContain('#');
    await expectWhole(world, id);
  });

  it('C-13 keeps its session when that cannot be shortened', async () => {
    const world = await makeProjectWorld();
    const { id } = await world.newProject({ recommendations: false, compact_above_tokens: 1_000 });
    world.app.offlineModel?.setScript((request) =>
      askedFor(request, 'detailed summary') ? { kind: 'text', text: '', delayMs: 0 } : null,
    );
    const update = await world.update(id, write('a.txt', 'one'));
    const version = await world.version(id, 1);
    expect(update).toMatchObject({ status: 'completed', degraded: ['compaction_failed'] });
    expect(await world.head(id)).toMatchObject({ session: version.editSession });
    expect(version.finalSession).toBe(version.editSession);
  });

  it('G2 waits for a limit of the provider, and loses no attempt', async () => {
    const world = await makeProjectWorld();
    const { id } = await world.newProject(QUIET);
    world.app.offlineModel?.breakNext({ kind: 'status', status: 429, retryAfterSeconds: 1 }, 4);
    const { id: update } = queued(await world.enqueue(id, { prompt: write('a.txt', 'one') }));
    await waitFor(async () =>
      (await world.projects.updates.get(update))?.waitReason === 'provider-limit' ? true : null,
    );
    const ended = await world.ended(update);
    expect(ended).toMatchObject({ status: 'completed', attempt: 1, resultVersion: 1 });
    expect(await outcomes(world, ended)).toEqual(['fresh api-error', 'fresh ok']);
    expect((await world.events(update)).map(({ type }) => type)).toContain('update.waiting');
  });

  it('C-15 ends when its money or its steps are used up, and leaves nothing behind', async () => {
    const world = await makeProjectWorld();
    const poor = await world.newProject({
      ...QUIET,
      max_update_cost_usd: 0.000_001,
      model: 'claude-sonnet-4-5',
    });
    const many = ['a', 'b', 'c', 'd'].map((name) => write(name, name)).join(' then ');
    const spent = await world.update(poor.id, many);
    expect(spent).toMatchObject({ status: 'failed', error: { code: 'budget_exceeded' } });
    const short = await world.newProject({ ...QUIET, max_steps: 2 });
    expect(await world.update(short.id, many)).toMatchObject({
      status: 'failed',
      error: { code: 'steps_used_up' },
    });
    expect([world.files(poor.id), world.files(short.id)]).toEqual([[], []]);
    const sessions = await world.projects.updates.runs(spent.id);
    expect((await world.session(poor.id, sessions[0]?.sessionId)).state).toBe('deleted');
  });

  it('E8 that is cancelled ends its agent and leaves its project as it was', async () => {
    const world = await makeProjectWorld();
    const { id } = await world.newProject(QUIET);
    await world.update(id, write('a.txt', 'one'));
    const before = await world.head(id);
    const running = queued(
      await world.enqueue(id, { prompt: `think for 60 seconds ${write('b.txt', 'x')}` }),
    );
    const waiting = queued(await world.enqueue(id, { prompt: write('c.txt', 'x') }));
    await waitFor(async () => pidOf(world, id));
    expect(await world.projects.cancel(waiting.id)).toBe('cancelled');
    expect(await world.projects.cancel(running.id)).toBe('asked');
    expect(await world.ended(running.id)).toMatchObject({ status: 'cancelled', error: null });
    expect(await world.projects.cancel(running.id)).toBe('already_cancelled');
    expect(await pidOf(world, id)).toBeNull();
    expect(await world.head(id)).toEqual(before);
    await expectWhole(world, id);
    expect(await world.update(id, write('d.txt', 'x'))).toMatchObject({
      status: 'completed',
      resultVersion: 2,
    });
  });
});
