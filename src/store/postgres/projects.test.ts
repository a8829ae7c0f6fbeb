import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  claim,
  completed,
  enqueue,
  makeProject,
  newUpdate,
  write,
} from '../../../test/contract/project-rows.ts';
import { startWire } from '../../../test/fixtures/postgres-wire.ts';
import { type Cluster, hasNoPostgres, startCluster } from '../../../test/setup/postgres-cluster.ts';
import { systemClock } from '../../base/clock.ts';
import { CommitUnknown } from '../database.ts';
import { makeStore } from '../store.ts';
import { openPostgres } from './postgres.ts';

describe.skipIf(hasNoPostgres)(
  'updates of projects on Postgres, where the answer to a commit is lost',
  () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await startCluster();
    });
    afterAll(() => cluster?.stop());

    async function open() {
      const wire = await startWire(await cluster.makeDatabase());
      onTestFinished(() => wire.close());
      const options = { clock: systemClock, log: { warn() {}, info() {} }, onTaken() {}, exclusive: false };
      const database = await openPostgres(wire.address, options);
      onTestFinished(() => database.close());
      const store = makeStore(database, systemClock, { holder: 'one', leaseMs: 60_000 });
      await makeProject(store);
      return { wire, store };
    }

    test('the same key finds what was perhaps queued', async () => {
      const { wire, store } = await open();
      const update = newUpdate();
      wire.loseNextCommit();
      await expect(store.projects.queue.enqueue(update)).rejects.toThrow(CommitUnknown);
      expect(await store.projects.queue.enqueue(update)).toMatchObject({ kind: 'known' });
      expect(await store.projects.queue.counts()).toEqual({ queued: 1, running: 0 });
    });

    test('what was perhaps claimed is claimed again at once', async () => {
      const { wire, store } = await open();
      const { id } = await enqueue(store);
      wire.loseNextCommit();
      await expect(store.projects.queue.claim()).rejects.toThrow(CommitUnknown);
      const again = await claim(store);
      expect(again).toMatchObject({ lease: { fence: 2 }, update: { id, status: 'running', attempt: 2 } });
    });

    test('an update that perhaps ended ends once', async () => {
      const { wire, store } = await open();
      const { id } = await enqueue(store);
      const claimed = await claim(store);
      const end = () => write(store, claimed, (tx) => tx.update.end(completed));
      wire.loseNextCommit();
      await expect(end()).rejects.toThrow(CommitUnknown);
      await expect(end()).rejects.toThrow('cannot be completed');
      const events = await store.projects.queue.events(id, 0, 10);
      expect(events.map(({ type }) => type)).toEqual(['update.queued', 'update.completed']);
    });
  },
);
