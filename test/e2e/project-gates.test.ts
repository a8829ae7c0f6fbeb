/** Whether an update resumes, seen from outside: the gates of `decide-resume.ts` with real rows and real sessions. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Policy, Project, ProjectId, UpdateOptions } from '../../src/projects/projects.ts';
import { makeProjectWorld, type ProjectWorld, queued, write } from './project-world.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } satisfies Partial<Policy>;

/** A project with one version and the session that made it. */
async function begun(world: ProjectWorld, policy: Partial<Policy> = {}): Promise<Project> {
  const project = await world.newProject({ ...QUIET, ...policy });
  await world.update(project.id, write('a.txt', 'one\n'));
  return project;
}

/** The next update's decision, as the update, the audit and its run tell it. */
async function next(world: ProjectWorld, id: ProjectId, options: Partial<UpdateOptions> = {}) {
  const update = await world.update(id, write('b.txt', 'two\n'), options);
  const runs = await world.projects.updates.runs(update.id);
  const audit = await world.projects.records.audit(id, 0, 1_000);
  const decided = audit.filter(({ event, updateId }) => event === 'decision' && updateId === update.id);
  expect(decided.map(({ reason }) => reason)).toEqual(
    runs.length === 0 && update.resume.reason === null ? [] : [update.resume.reason],
  );
  return { update, reason: update.resume.reason, modes: runs.map(({ mode }) => mode) };
}

describe('the next update of a project', () => {
  it('starts fresh for each reason that speaks against its session', async () => {
    const world = await makeProjectWorld();

    const off = await begun(world, { resume: 'off' });
    expect(await next(world, off.id), 'B1').toMatchObject({ reason: 'flag_off', modes: ['fresh'] });

    const usual = await begun(world);
    expect(await next(world, usual.id, { resume: 'never' }), 'B2').toMatchObject({
      reason: 'requested_fresh',
      modes: ['fresh'],
    });

    const old = await begun(world, { max_age_hours: 0.000_001 });
    expect(await next(world, old.id), 'B3').toMatchObject({ reason: 'too_old', modes: ['fresh'] });

    const heldOut = await begun(world, { holdout_percent: 100 });
    expect(await next(world, heldOut.id), 'B10').toMatchObject({
      reason: 'holdout',
      modes: ['fresh'],
      update: { resume: { arm: 'holdout', decision: 'fresh' } },
    });

    const full = await begun(world, { max_context_tokens: 1_000 });
    expect(await next(world, full.id)).toMatchObject({ reason: 'context_too_large', modes: ['fresh'] });
  });

  it('starts fresh when its transcript is gone or cut off, and the session is never tried again', async () => {
    const world = await makeProjectWorld();
    const gone = await begun(world);
    const { session } = await world.head(gone.id);
    await world.store.transcripts.delete((await world.session(gone.id, session)).sessionId);
    expect(await next(world, gone.id), 'B4').toMatchObject({
      reason: 'transcript_missing',
      modes: ['fresh'],
    });
    expect((await world.session(gone.id, session)).state).toBe('lost');
    expect(await next(world, gone.id)).toMatchObject({ reason: 'ok', modes: ['fork'] });

    const cut = await begun(world);
    const { sessionId, settledEntry } = await world.session(cut.id, (await world.head(cut.id)).session);
    const database = new DatabaseSync(join(world.dataDir, 'firekeeper.sqlite'));
    database.prepare('delete from transcript_entries where uuid = ?').run(settledEntry);
    database.close();
    expect(await next(world, cut.id), 'B5').toMatchObject({ reason: 'transcript_altered', modes: ['fresh'] });
    expect((await world.session(cut.id, sessionId)).state).toBe('quarantined');
  });

  it('B8, A9, H5 keeps what was changed from outside as a commit of its own, and starts fresh when that is much', async () => {
    const world = await makeProjectWorld();
    const { id } = await begun(world);
    const before = await world.head(id);
    for (const name of ['c.txt', 'd.txt', 'e.txt']) writeFileSync(join(world.workdir(id), name), name);
    expect(await next(world, id)).toMatchObject({ reason: 'structural_drift', modes: ['fresh'] });
    expect(world.git(id, 'log', '--format=%s%n%(trailers:key=Change-Source)').split('\n')).toContain(
      'Changes from outside',
    );
    expect(world.git(id, 'rev-parse', 'main~2')).toBe(before.commit);
    expect(world.files(id)).toEqual(['a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt']);

    writeFileSync(join(world.workdir(id), 'f.txt'), 'a little');
    const little = await world.update(id, write('g.txt', 'three\n'));
    expect(little.resume.reason).toBe('ok');
    const { session } = await world.head(id);
    const said = JSON.stringify(
      await world.store.transcripts.load((await world.session(id, session)).sessionId, null),
    );
    expect(said).toContain('files were changed outside of your updates');
    expect(said).toContain('- f.txt');
  });

  it('B11, B12, E5 is refused before anything runs', async () => {
    const world = await makeProjectWorld();
    const { id } = await begun(world);
    rmSync(join(world.workdir(id), 'a.txt'));
    writeFileSync(join(world.workdir(id), 'other.txt'), 'x');
    const required = await next(world, id, { resume: 'require' });
    expect(required.update).toMatchObject({ status: 'failed', error: { code: 'session_unavailable' } });
    expect(required.modes).toEqual([]);

    const token = await world.projects.records.addToken({
      projectId: id,
      userId: 'guest',
      label: 'g',
      hash: 'h'.repeat(64),
    });
    const busy = queued(await world.enqueue(id, { prompt: 'think for 2 seconds' }));
    const late = queued(await world.enqueue(id, { prompt: write('x', 'x'), userId: 'guest' }));
    await world.projects.records.revokeToken(id, token.id);
    await world.ended(busy.id);
    expect(await world.ended(late.id)).toMatchObject({ status: 'failed', error: { code: 'access_revoked' } });

    const writes = queued(await world.enqueue(id, { prompt: write('y.txt', 'y') }));
    const { version } = await world.head(id);
    const pinned = await world.enqueue(id, {
      prompt: write('z', 'z'),
      options: { expectedVersion: (version ?? 0) + 1 },
    });
    const tooLate = queued(
      await world.enqueue(id, { prompt: write('z', 'z'), options: { expectedVersion: (version ?? 0) + 1 } }),
    );
    await world.ended(writes.id);
    await world.ended(queued(pinned).id);
    expect(await world.ended(tooLate.id)).toMatchObject({
      status: 'failed',
      error: { code: 'version_mismatch' },
    });
    expect(await world.projects.updates.runs(tooLate.id)).toEqual([]);
  });

  it('B14 goes on in the session of another user only where a project shares one', async () => {
    const world = await makeProjectWorld();
    const [shared, apart] = [await begun(world), await begun(world, { session_scope: 'user' })];
    for (const [project, reason] of [
      [shared, 'ok'],
      [apart, 'other_user'],
    ] as const) {
      await world.projects.records.addToken({
        projectId: project.id,
        userId: 'guest',
        label: 'g',
        hash: `${reason}-hash`,
      });
      const update = await world.run(project.id, { prompt: write('b.txt', 'two'), userId: 'guest' });
      expect(update).toMatchObject({ status: 'completed', resume: { reason } });
    }
  });

  it('A8 without a change makes no version, and moves the session', async () => {
    const world = await makeProjectWorld();
    const { id } = await begun(world);
    const before = await world.head(id);
    const update = await world.update(id, 'What does this project do?');
    expect(update).toMatchObject({ status: 'completed', degraded: ['no_changes'], resultVersion: null });
    const head = await world.head(id);
    expect(head).toMatchObject({ version: before.version, commit: before.commit });
    expect((await world.session(id, head.session)).parentId).toBe(before.session);
  });

  it('I5 starts fresh once the flag is off, and its forecast says so', async () => {
    const world = await makeProjectWorld();
    const project = await begun(world);
    const forecast = async () => {
      const now = await world.projects.records.get(project.id);
      return now && (await world.projects.nextDecision(now));
    };
    expect(await forecast()).toMatchObject({ decision: 'resume', reason: 'ok', failures: 0 });
    await world.projects.records.change(project.id, { policy: { ...project.policy, resume: 'off' } }, 'user');
    expect(await forecast()).toMatchObject({ decision: 'fresh', reason: 'flag_off' });
    expect(await next(world, project.id)).toMatchObject({ reason: 'flag_off' });
    const audit = await world.projects.records.audit(project.id, 0, 1_000);
    expect(audit.map(({ event }) => event)).toContain('flag_changed');
  });
});
