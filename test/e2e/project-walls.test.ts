/** What keeps projects apart from each other, and the server apart from what people bring. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { ProjectId } from '../../src/projects/projects.ts';
import { plantRepository } from '../fixtures/git-project.ts';
import { SCRIPTED_AGENT } from '../fixtures/scripted-agent.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { makeClient } from './project-http.ts';
import { makeProjectWorld, type ProjectWorld, queued, USER } from './project-world.ts';
import { waitFor } from './server.ts';

const QUIET = { recommendations: false, compact_above_tokens: null } as const;

const scripted = (more: Parameters<typeof makeProjectWorld>[0] = {}) =>
  makeProjectWorld({ agentExecutable: SCRIPTED_AGENT, ...more });

async function begun(world: ProjectWorld): Promise<ProjectId> {
  const { id } = await world.newProject(QUIET);
  await world.update(id, 'put one into a.txt');
  return id;
}

function withDatabase<Value>(world: ProjectWorld, work: (database: DatabaseSync) => Value): Value {
  const file = join(world.dataDir, 'firekeeper.sqlite');
  const database = new DatabaseSync(file);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

/** Tables in which a text stands, with how often. */
function whereIs(world: ProjectWorld, text: string): Readonly<Record<string, number>> {
  return withDatabase(world, (database) => {
    const tables = database.prepare("select name from sqlite_schema where type = 'table'").all();
    const found = tables.map(({ name }) => {
      const rows = database.prepare(`select * from "${String(name)}"`).all();
      return [String(name), rows.filter((row) => Object.values(row).includes(text)).length] as const;
    });
    return Object.fromEntries(found.filter(([, count]) => count > 0));
  });
}

type Paths = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

describe('a project', () => {
  it('F1 is not there for the token of another one, on every route', async () => {
    const world = await scripted();
    const client = makeClient(world);
    const [theirs, own] = [await begun(world), await begun(world)];
    const token = await client.tokenFor(own, 'ada');
    const [update] = await world.projects.updates.list(theirs, { status: null, before: null, limit: 1 });
    const { body } = await client.ask('GET', '/openapi.json');
    const routes = Object.entries(body.paths as Paths)
      .filter(([path]) => /^\/v1\/(projects|updates)\/\{id\}/.test(path))
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ path, method })));
    expect(routes.length).toBeGreaterThan(15);
    const before = await world.head(theirs);
    for (const { path, method } of routes) {
      const id = path.startsWith('/v1/updates') ? String(update?.id) : theirs;
      const asked = path.replace('{id}', id).replace(/\{\w+\}/g, '1');
      const sent = method === 'get' ? {} : { key: 'k', body: { prompt: 'put two into a.txt' } };
      const foreign = await client.ask(method.toUpperCase(), asked, { token, ...sent });
      const code = path.startsWith('/v1/updates') ? 'unknown_update' : 'unknown_project';
      expect([method, path, foreign.status, foreign.body.code]).toEqual([method, path, 404, code]);
    }
    expect((await client.ask('GET', `/v1/projects/${own}`, { token })).status).toBe(200);
    const report = await client.ask('GET', `/v1/metrics/resume?project_id=${theirs}`, { token });
    expect(report.body.code).toBe('unknown_project');
    expect(await world.head(theirs)).toEqual(before);
  });

  it('F2 cannot be made to point at the session or a version of another one', async () => {
    const world = await scripted();
    const [theirs, own] = [await begun(world), await begun(world)];
    await world.update(theirs, 'put two into a.txt');
    const { session } = await world.head(theirs);
    const before = await world.head(own);
    withDatabase(world, (database) => {
      for (const [column, value] of [
        ['session_id', session],
        ['version', 2],
      ] as const) {
        const change = database.prepare(`update project_heads set ${column} = ? where project_id = ?`);
        expect(() => change.run(value, own)).toThrow(/FOREIGN KEY/);
      }
      for (const column of ['edit_session', 'final_session']) {
        const change = database.prepare(`update project_versions set ${column} = ? where project_id = ?`);
        expect(() => change.run(session, own)).toThrow(/FOREIGN KEY/);
      }
    });
    expect(await world.head(own)).toEqual(before);
    expect((await world.update(own, 'put two into a.txt')).resume.reason).toBe('ok');
  });

  it('F6 gives its agent an environment of known names alone', async () => {
    const names = join(makeTempFolder(), 'names');
    const world = await scripted({
      agentExecutable: noting(names, '"$(env | sed s/=.*//)"'),
      env: {
        AWS_SECRET_ACCESS_KEY: 'secret',
        DATABASE_PASSWORD: 'secret',
        BOT_KEY: '1-secret',
        NODE_OPTIONS: '--no-warnings',
        LANG: 'C.UTF-8',
      },
    });
    await begun(world);
    const own = new Set(['PWD', 'OLDPWD', 'SHLVL', '_']);
    const given = readFileSync(names, 'utf8')
      .split('\n')
      .filter((name) => name !== '' && !own.has(name));
    const unknown = given.filter((name) => !KNOWN_NAMES.some((known) => known.test(name)));
    expect(unknown).toEqual([]);
    expect(given).toEqual(expect.arrayContaining(['HOME', 'PATH', 'LANG', 'CLAUDE_CONFIG_DIR']));
  });

  it('F10 that is deleted leaves nothing but its audit, and the others as they were', async () => {
    const world = await scripted();
    const client = makeClient(world);
    const [gone, kept] = [await begun(world), await begun(world)];
    const token = await client.tokenFor(gone, 'ada');
    await world.update(gone, 'put two into a.txt');
    const runs = (await world.projects.updates.list(gone, { status: null, before: null, limit: 9 })).map(
      ({ id }) => world.projects.updates.runs(id),
    );
    const sessions = (await Promise.all(runs)).flat().map(({ sessionId }) => sessionId);
    const before = [whereIs(world, kept), await world.head(kept)];
    expect(await client.ask('DELETE', `/v1/projects/${gone}`)).toMatchObject({
      status: 202,
      body: { deleted: true },
    });
    expect(Object.keys(whereIs(world, gone))).toEqual(['project_audit']);
    expect((await world.projects.records.audit(gone, 0, 100)).at(-1)?.event).toBe('project_deleted');
    for (const session of sessions)
      expect(Object.keys(whereIs(world, session)).filter((table) => table !== 'ledger')).toEqual([
        'project_audit',
      ]);
    expect(readdirSync(join(world.dataDir, 'projects'))).toEqual([kept]);
    expect(await client.ask('GET', `/v1/projects/${gone}`)).toMatchObject({ status: 404 });
    expect(await client.ask('GET', `/v1/projects/${gone}`, { token })).toMatchObject({ status: 401 });
    expect([whereIs(world, kept), await world.head(kept)]).toEqual(before);
    expect(await world.update(kept, 'put two into a.txt')).toMatchObject({ resultVersion: 2 });
  });

  it('F10 that is deleted in mid-update takes nothing more, and goes when that has ended', async () => {
    const world = await scripted();
    const client = makeClient(world);
    const id = await begun(world);
    const running = queued(await world.enqueue(id, { prompt: 'think for 3 seconds, put two into a.txt' }));
    const waiting = queued(await world.enqueue(id, { prompt: 'put three into a.txt' }));
    const heard = client.stream(running.id, 0);
    await waitFor(async () => ((await world.projects.updates.runs(running.id)).length > 0 ? true : null));
    expect(await client.ask('DELETE', `/v1/projects/${id}`)).toMatchObject({
      status: 202,
      body: { deleted: false },
    });
    expect(await client.queue(id, 'put four into a.txt')).toMatchObject({ status: 404 });
    await waitFor(async () => (Object.keys(whereIs(world, id)).join() === 'project_audit' ? true : null));
    await waitFor(async () => (readdirSync(join(world.dataDir, 'projects')).length === 0 ? true : null));
    expect((await world.projects.records.audit(id, 0, 100)).map(({ reason }) => reason)).toContain(
      'version 2',
    );
    expect(await world.projects.updates.get(waiting.id)).toBeNull();
    expect((await heard).length).toBeGreaterThan(0);
  });
});

describe('what people bring', () => {
  it('F9 runs nothing and is read nowhere else when it is a malicious repository', async () => {
    const world = await scripted();
    const client = makeClient(world);
    const [source, trap, secret] = [makeTempFolder(), join(makeTempFolder(), 'sprung'), makeTempFolder()];
    plantRepository(source, trap);
    writeFileSync(join(secret, 'secret.txt'), 'not for them');
    for (const [target, name] of [
      ['/etc/passwd', 'passwd'],
      [secret, 'way-out'],
      [join(secret, 'secret.txt'), 'secret.txt'],
    ] as const)
      symlinkSync(target, join(source, name));
    writeFileSync(join(source, '.gitattributes'), '* filter=trap\n');
    writeFileSync(join(source, '.gitmodules'), `[submodule "s"]\n\tpath = s\n\turl = ${secret}\n`);
    const git = (...args: readonly string[]) =>
      execFileSync(
        'git',
        ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'filter.trap.clean=', ...args],
        { cwd: source },
      );
    git('add', '--all');
    git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},s`);
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--message', 'Malice');

    const made = await client.ask('POST', '/v1/projects', {
      body: { name: 'Malice', user_id: USER, import_from: source, policy: QUIET },
    });
    expect(made.status).toBe(201);
    const id = String(made.body.id) as ProjectId;
    expect(existsSync(trap)).toBe(false);
    expect(world.files(id)).toEqual([
      '.gitattributes',
      '.gitmodules',
      'kept.txt',
      'passwd',
      'secret.txt',
      'way-out',
    ]);
    // A link is a file that holds where it pointed to.
    expect(world.read(id, 'passwd')).toBe('/etc/passwd');
    expect(
      world.files(id).filter((name) => lstatSync(join(world.workdir(id), name)).isSymbolicLink()),
    ).toEqual([]);
    expect(world.git(id, 'ls-tree', '-r', 'main')).not.toMatch(/^(120000|160000)/m);
    expect(await world.update(id, 'put two into a.txt')).toMatchObject({ resultVersion: 2 });
    expect(existsSync(trap)).toBe(false);
    const archive = await (await client.fetched('GET', `/v1/projects/${id}/versions/2/archive`)).text();
    expect(archive).not.toMatch(/root:|not for them/);
    for (const import_from of [
      secret,
      join(world.dataDir, 'projects', id),
      '../x',
      'ext::sh -c x',
      '--upload',
    ])
      expect(await client.ask('POST', '/v1/projects', { body: { name: 'More', import_from } })).toMatchObject(
        { status: 422, body: { code: 'import_refused' } },
      );
    expect(readdirSync(join(world.dataDir, 'projects'))).toEqual([id]);
  });

  it('is refused with its own error where it is bad, and nothing is lost by it', async () => {
    const world = await scripted();
    const client = makeClient(world);
    const [id, other] = [await begun(world), await begun(world)];
    const token = await client.tokenFor(other, 'ada');
    const prompt = 'put two into a.txt';
    const path = `/v1/projects/${id}`;
    const wrong = async (answer: ReturnType<typeof client.ask>) => {
      const { status, body } = await answer;
      return [status, body.code];
    };
    expect(await wrong(client.queue('none', prompt))).toEqual([404, 'unknown_project']);
    expect(await wrong(client.queue('..%2f..%2fetc', prompt))).toEqual([404, 'unknown_project']);
    expect(await wrong(client.queue(id, prompt, { token }))).toEqual([404, 'unknown_project']);
    expect(await wrong(client.queue(id, prompt, { headers: { 'if-match': '"v7"' } }))).toEqual([
      412,
      'version_mismatch',
    ]);
    for (const no of ['9', '0', '-1', '..%2f1', 'x'])
      expect(await wrong(client.ask('POST', `${path}/versions/${no}/restore`, { key: no }))).toEqual([
        404,
        'unknown_version',
      ]);
    expect(await wrong(client.queue(id, 'x'.repeat(1024 * 1024)))).toEqual([413, 'too_large']);
    expect(await wrong(client.queue(id, 'x'.repeat(65 * 1024)))).toEqual([413, 'too_large']);
    expect(await wrong(client.queue(id, '  '))).toEqual([422, 'invalid_fields']);
    expect(await wrong(client.ask('POST', `${path}/updates`, { body: { prompt } }))).toEqual([
      400,
      'idempotency_key_missing',
    ]);
    for (const name of ['../up', '/etc', 'a\\b', '..', 'a\u0000b', ''])
      expect(await wrong(client.ask('POST', '/v1/projects', { body: { name } }))).toEqual([
        422,
        'invalid_fields',
      ]);
    expect(readdirSync(join(world.dataDir, 'projects')).sort()).toEqual([id, other].sort());
    const queue = await world.projects.updates.list(id, { status: null, before: null, limit: 9 });
    expect(queue).toHaveLength(1);
    expect(await world.update(id, prompt)).toMatchObject({ status: 'completed', resultVersion: 2 });
  });
});

/** The scripted agent, which first writes something of its start to a file. */
function noting(file: string, what: string): string {
  const path = join(makeTempFolder(), 'agent.sh');
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' ${what} >> ${file}\nexec ${SCRIPTED_AGENT} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** What `src/agent/claude/environment.ts` sets, what it lets through, and the SDK's own marks. */
const KNOWN_NAMES: readonly RegExp[] = [
  /^(PATH|LANG|LC_\w+|TZ|HOME|TMPDIR)$/,
  /^(https?|no|all)_proxy$/i,
  /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/,
  /^ANTHROPIC_(BASE_URL|API_KEY|AUTH_TOKEN)$/,
  /^(CLAUDE_|DISABLE_|FIREKEEPER_)\w+$/,
  /^CLAUDECODE$/,
];
