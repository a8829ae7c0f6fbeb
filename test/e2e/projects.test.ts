import { describe, expect, it } from 'vitest';
import type { ProjectId } from '../../src/projects/projects.ts';
import { APP_UPDATES, SMALL_WEB_APP } from '../fixtures/small-web-app-updates.ts';
import { makeProjectWorld, makeSource, type ProjectWorld, write } from './project-world.ts';

/** Session by session from the head to the first one. */
async function ancestry({ projects, head }: ProjectWorld, id: ProjectId): Promise<readonly string[]> {
  const chain: string[] = [];
  for (let at = (await head(id)).session; at !== null; ) {
    chain.push(at);
    at = (await projects.records.session(id, at))?.parentId ?? null;
  }
  return chain;
}

describe('a project', () => {
  it('A1, A2 begins with version 1 and goes on in the session that made it', async () => {
    const world = await makeProjectWorld();
    const { id } = await world.newProject();
    const first = await world.update(id, write('a.txt', 'one\n'));
    expect(first).toMatchObject({
      status: 'completed',
      error: null,
      resultVersion: 1,
      resume: { decision: 'fresh', reason: 'no_session', outcome: 'not-attempted' },
    });
    const head = await world.head(id);
    expect(head).toMatchObject({ version: 1, session: expect.any(String) });
    expect(world.git(id, 'log', '--format=%H %(trailers:key=Update-Id,valueonly,separator=%x2C)')).toBe(
      `${head.commit} ${first.id}`,
    );

    const second = await world.update(id, write('b.txt', 'two\n'));
    expect(second).toMatchObject({
      status: 'completed',
      resultVersion: 2,
      baseVersion: 1,
      resume: { decision: 'resume', reason: 'ok', outcome: 'accepted' },
    });
    const runs = await world.projects.updates.runs(second.id);
    expect(runs.map(({ purpose, mode, outcome }) => `${purpose} ${mode} ${outcome}`)).toEqual([
      'edit fork ok',
      'recommend fork ok',
    ]);
    expect(await ancestry(world, id)).toEqual([(await world.head(id)).session, head.session]);
    expect(await world.version(id, 2)).toMatchObject({
      parentNo: 1,
      editSession: (await world.head(id)).session,
    });
    expect(world.files(id)).toEqual(['a.txt', 'b.txt']);
  });

  it('A3, A6, A7, H1, B9 goes through ten updates, is compacted, brought back, and goes on from there', async () => {
    const world = await makeProjectWorld();
    const source = makeSource(SMALL_WEB_APP);
    const { id } = await world.newProject({ documentation: true, compact_above_tokens: 6_200 }, source);
    expect(await world.head(id)).toMatchObject({ version: 1, session: null });
    expect(await world.version(id, 1)).toMatchObject({ kind: 'import', parentNo: null });

    let compactions = 0;
    for (const [index, { prompt, holds }] of APP_UPDATES.entries()) {
      const before = await world.head(id);
      const update = await world.update(id, prompt);
      const no = index + 2;
      expect(update).toMatchObject({ status: 'completed', degraded: [], resultVersion: no });
      for (const { path, text } of holds) expect(world.read(id, path)).toContain(text);
      const version = await world.version(id, no);
      expect(version).toMatchObject({
        commit: (await world.head(id)).commit,
        finalSession: (await world.head(id)).session,
        parentNo: no - 1,
        metadata: { state: 'ready', title: prompt.split(':')[0], changeType: 'patch' },
      });
      expect(version.metadata.recommendations).toHaveLength(2);
      expect(version.metadata.documentation).toContain('# ');
      const runs = await world.projects.updates.runs(update.id);
      const [edit, compact] = ['edit', 'compact'].map((purpose) =>
        runs.find((run) => run.purpose === purpose),
      );
      expect(edit).toMatchObject({ mode: index === 0 ? 'fresh' : 'fork', firstEditAt: expect.any(Number) });
      expect((await world.session(id, edit?.sessionId)).parentId).toBe(before.session);
      if (compact === undefined) continue;
      compactions += 1;
      const [long, short] = [
        await world.session(id, version.editSession),
        await world.session(id, version.finalSession),
      ];
      expect(short).toMatchObject({
        sessionId: compact.sessionId,
        parentId: long.sessionId,
        state: 'active',
      });
      expect(short.contextTokens).toBeLessThan(long.contextTokens ?? 0);
    }
    expect(compactions).toBeGreaterThan(0);
    expect(world.git(id, 'log', '--format=%H').split('\n')).toHaveLength(11);
    expect(world.git(id, 'for-each-ref', '--format=%(refname)', 'refs/versions').split('\n')).toHaveLength(
      11,
    );
    expect(await ancestry(world, id)).toHaveLength(10 + compactions);

    const third = await world.version(id, 3);
    const restored = await world.run(id, { kind: 'restore', options: { restoreVersion: 3 } });
    expect(restored).toMatchObject({ status: 'completed', error: null, resultVersion: 12 });
    expect(await world.version(id, 12)).toMatchObject({ parentNo: 11, restoredNo: 3, tree: third.tree });
    expect(await world.head(id)).toMatchObject({ version: 12, session: third.finalSession });
    expect(await world.projects.diff(id, 3, 12)).toEqual({ text: '', cut: false });

    const next = await world.update(id, write('NEXT.md', 'on from version 3\n'));
    expect(next).toMatchObject({ status: 'completed', resultVersion: 13, resume: { decision: 'resume' } });
    const { session } = await world.head(id);
    expect((await world.session(id, session)).parentId).toBe(third.finalSession);
    const said = JSON.stringify(
      await world.store.transcripts.load((await world.session(id, session)).sessionId, null),
    );
    expect(said).toContain('It brought back the files of version 3');
    expect(said).not.toContain(APP_UPDATES[4]?.prompt.split(':')[0]);
  }, 180_000);
});
