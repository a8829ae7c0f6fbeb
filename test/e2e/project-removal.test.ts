import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeProjectWorld } from './project-world.ts';
import { waitFor } from './server.ts';

it('goes on at its start with a deletion that its last server did not finish', async () => {
  const first = await makeProjectWorld();
  const { id } = await first.newProject();
  await first.store.projects.records.change(id, { state: 'deleting' }, 'user');
  await first.app.stop();

  const second = await makeProjectWorld({ dataDir: first.dataDir });
  const folder = join(first.dataDir, 'projects', id);
  await waitFor(async () => ((await second.projects.records.get(id)) === null ? true : null));
  await waitFor(async () => (existsSync(folder) ? null : true));
  expect((await second.projects.records.audit(id, 0, 100)).at(-1)?.event).toBe('project_deleted');
});
