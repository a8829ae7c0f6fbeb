import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { findFreePort } from '../setup/free-port.ts';
import { ROOT } from '../setup/root.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeSource, write } from './project-world.ts';
import { type StartOptions, startServer, type TestServer, waitFor } from './server.ts';

/** The command line as a process of its own, beside the server. */
async function run(dataDir: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, ['src/cli/cli.ts', ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, HOME: dataDir, DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [out, err, code] = await Promise.all([readAll(child.stdout), readAll(child.stderr), exited]);
  return { code, out: out.trimEnd(), err: err.trimEnd() };
}

type Body = Readonly<Record<string, unknown>>;

function send(server: TestServer, path: string, body: Body, headers: Record<string, string> = {}) {
  const type = { 'content-type': 'application/json' };
  return server.api(path, { method: 'POST', headers: { ...type, ...headers }, body: JSON.stringify(body) });
}

async function makeProject(server: TestServer, facts: Body = {}): Promise<string> {
  const answer = await send(server, '/v1/projects', { name: 'Shop', ...facts });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

function idsIn(stream: string): number[] {
  return [...stream.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
}

it('a project token takes a project from an import to version 2, and its events tell it all', async () => {
  const server = await startServer();
  const { api } = server;
  const folder = makeTempFolder();
  writeFileSync(join(folder, 'a.txt'), 'one\n');
  const project = await makeProject(server, {
    user_id: 'owner',
    import_from: makeSource(folder),
  });
  const made = await send(server, `/v1/projects/${project}/tokens`, { user_id: 'ada', label: 'test' });
  const { token } = (await made.json()) as { token: string };
  server.mayNotBeLogged(token);
  const as = { authorization: `Bearer ${token}` };
  const queued = await send(
    server,
    `/v1/projects/${project}/updates`,
    { prompt: write('b.txt', 'two\n') },
    { ...as, 'idempotency-key': 'k', 'if-match': '"v1"' },
  );
  expect(queued.status).toBe(202);
  const address = queued.headers.get('location') ?? '';

  const live = await api(`${address}/events`, { headers: as });
  const heard = await live.text();
  expect(idsIn(heard)).toEqual(idsIn(heard).map((_, at) => at + 1));
  expect(heard).toMatch(
    /event: update\.queued\n[\s\S]+event: version\.created\n[\s\S]+event: update\.completed\n/,
  );
  const last = idsIn(heard).length;
  const rest = await api(`${address}/events`, { headers: { ...as, 'last-event-id': String(last - 2) } });
  expect(idsIn(await rest.text())).toEqual([last - 1, last]);
  expect((await api(`${address}/events?after=${last}`, { headers: as })).status).toBe(204);

  const update = (await (await api(address, { headers: as })).json()) as Body;
  expect(update).toMatchObject({
    status: 'completed',
    user_id: 'ada',
    base_version: 1,
    result_version: 2,
    progress: 1,
  });
  const versions = `/v1/projects/${project}/versions`;
  const { diff } = (await (await api(`${versions}/2/diff`, { headers: as })).json()) as { diff: string };
  expect(diff).toContain('+two');
  const archive = Buffer.from(await (await api(`${versions}/2/archive`, { headers: as })).arrayBuffer());
  expect(archive.toString('latin1')).toMatch(/a\.txt[\s\S]+one\n[\s\S]+b\.txt[\s\S]+two\n/);
  const session = await server.getJson<Body>(`/v1/projects/${project}/session`);
  expect(session).toMatchObject({ session: { state: 'active' }, next: { decision: 'resume', reason: 'ok' } });
  for (const shown of [heard, JSON.stringify(update), JSON.stringify(session)])
    for (const { session_id: id } of server.rows('select session_id from project_sessions'))
      expect(shown).not.toContain(id);
}, 60_000);

it("the predecessor's routes make a project and update it", async () => {
  const server = await startServer();
  const wish = { userId: 'ada', prompt: write('a.txt', 'one\n'), framework: 'vue' };
  const made = (await (await send(server, '/v1/create-preview-for-new-project', wish)).json()) as Body;
  expect(made).toMatchObject({ success: true, status: 'queued' });
  const next = { userId: 'ada', projectId: made.projectId, prompt: write('b.txt', 'two\n') };
  const updated = (await (await send(server, '/update-project', next)).json()) as Body;
  const update = await waitFor(async () => {
    const now = await server.getJson<Body>(`/v1/updates/${updated.buildId}`);
    return now.status === 'completed' ? now : null;
  });
  expect(update).toMatchObject({ user_id: 'ada', result_version: 2 });
}, 60_000);

it('the command line watches an update over the death of its server', async () => {
  const dataDir = makeTempFolder();
  const options: StartOptions = { dataDir, env: { PORT: String(await findFreePort()) } };
  const first = await startServer(options);
  expect((await run(dataDir, 'project', 'new', 'Shop')).out).toMatch(/^Project Shop is made: /);
  const watching = run(
    dataDir,
    'project',
    'update',
    'Shop',
    `think for 2 seconds, then ${write('a.txt', 'one\n')}`,
    '--watch',
  );
  await waitFor(() =>
    first.rows("select 1 from update_events where type = 'step.started'").length > 0 ? true : null,
  );
  await first.kill();
  await startServer(options);
  const { code, out, err } = await watching;
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/version 1 made\n[\s\S]+completed\nUpdate 1 is completed: version 1/);

  expect((await run(dataDir, 'project', 'versions', 'Shop')).out).toMatch(/\n1 /);
  expect((await run(dataDir, 'project', 'diff', 'Shop', '1')).out).toContain('+one');
  const restored = await run(dataDir, 'project', 'restore', 'Shop', '1', '--watch');
  expect([restored.code, restored.out]).toEqual([0, expect.stringContaining('version 2')]);
  expect((await run(dataDir, 'project', 'report')).out).toContain('cannot be said');
}, 120_000);
