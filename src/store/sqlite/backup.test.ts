import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { claim, completeOne, enqueue, makeProject, write } from '../../../test/contract/project-rows.ts';
import { accept, messageOf, replyIn } from '../../../test/contract/rows.ts';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { makeTempFolder } from '../../../test/setup/temp.ts';
import { makeStore, type Store } from '../store.ts';
import { isInside } from './archive.ts';
import { backUp } from './backup.ts';
import { lockFolder } from './lock.ts';
import { restoreBackup } from './restore.ts';
import { openSqlite } from './sqlite.ts';

const clock = makeFakeClock(Date.UTC(2026, 4, 1, 12));
let dataDir: string;
let elsewhere: string;
beforeEach(() => {
  dataDir = makeTempFolder();
  elsewhere = makeTempFolder();
});

async function openStore(folder = dataDir): Promise<Store> {
  const database = await openSqlite(join(folder, 'firekeeper.sqlite'), clock);
  const store = makeStore(database, clock, { holder: 'first', leaseMs: 60_000 });
  onTestFinished(() => store.close());
  return store;
}

function putFile(path: string, content: string | Buffer, mode = 0o644): void {
  mkdirSync(join(dataDir, path, '..'), { recursive: true });
  writeFileSync(join(dataDir, path), content);
  chmodSync(join(dataDir, path), mode);
}

async function makeBackup(name = 'monday.firekeeper') {
  const file = join(elsewhere, name);
  const outcome = await backUp({ dataDir, file, version: '1.2.3', clock });
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  return { file, ...outcome };
}

function restoreTo(folder: string, file: string, force = false) {
  return restoreBackup({ file, dataDir: folder, force, clock });
}

function inDatabase(path: string, sql: string): readonly Record<string, unknown>[] {
  const database = new DatabaseSync(path);
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

describe('a backup', () => {
  test('comes back as it was: rows, files, their modes, links and empty folders', async () => {
    const store = await openStore();
    await accept(store, { text: 'keep me' });
    putFile('workspaces/campfire/helper/1/Notizen ü.md', 'draft\n'.repeat(1_000), 0o640);
    putFile('workspaces/campfire/helper/1/run.sh', '#!/bin/sh\n', 0o755);
    putFile('workspaces/campfire/helper/1/noise.bin', Buffer.from([0, 255, 1, 254]));
    putFile('projects/7/work/index.html', '<p>', 0o444);
    mkdirSync(join(dataDir, 'workspaces/campfire/helper/2/empty'), { recursive: true });
    symlinkSync('run.sh', join(dataDir, 'workspaces/campfire/helper/1/link'));
    chmodSync(join(dataDir, 'projects/7/work'), 0o555);

    const made = await makeBackup();
    expect(made).toMatchObject({ kind: 'made', conversations: 0, files: 5, leftOut: [] });
    expect(made.bytes).toBe(statSync(made.file).size);

    const fresh = join(elsewhere, 'fresh');
    expect(await restoreTo(fresh, made.file)).toEqual({
      kind: 'restored',
      mark: { made_at: '2026-05-01T12:00:00.000Z', version: '1.2.3', files: 5 },
      files: 5,
      aside: null,
    });
    expect(statSync(fresh).mode & 0o777).toBe(0o700);
    const again = await openStore(fresh);
    expect(await again.inbox.accept(messageOf())).toMatchObject({ kind: 'accepted', id: 2 });
    const room = join(fresh, 'workspaces/campfire/helper/1');
    expect(readFileSync(join(room, 'Notizen ü.md'), 'utf8')).toBe('draft\n'.repeat(1_000));
    expect(readFileSync(join(room, 'noise.bin'))).toEqual(Buffer.from([0, 255, 1, 254]));
    expect(statSync(join(room, 'Notizen ü.md')).mode & 0o777).toBe(0o640);
    expect(statSync(join(room, 'run.sh')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(room, 'link'))).toBe('run.sh');
    expect(statSync(join(fresh, 'projects/7/work')).mode & 0o777).toBe(0o555);
    expect(readdirSync(join(fresh, 'workspaces/campfire/helper/2'))).toEqual(['empty']);
    chmodSync(join(fresh, 'projects/7/work'), 0o755);
    chmodSync(join(dataDir, 'projects/7/work'), 0o755);
  });

  test('is one file for its owner only, and nothing else stays beside it', async () => {
    await openStore();
    const { file } = await makeBackup();
    expect(readdirSync(elsewhere)).toEqual(['monday.firekeeper']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('of a busy server is one moment, made while the writer goes on', async () => {
    await openStore();
    const writing = new DatabaseSync(join(dataDir, 'firekeeper.sqlite'));
    onTestFinished(() => writing.close());
    writing.exec('create table pairs (a integer, filler text)');
    // Enough pages for several writes to fall into the copy.
    writing.exec(`
      with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
      insert into pairs select 0, hex(randomblob(200)) from n`);
    let written = 0;
    let over = false;
    const writer = (async () => {
      while (!over) {
        written += 1;
        writing.exec(
          `begin; insert into pairs (a) values (${written}); insert into pairs (a) values (${written}); commit`,
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const { file } = await makeBackup();
    over = true;
    await writer;
    const [sums] = inDatabase(file, 'select count(*) as count, max(a) as newest from pairs where a > 0');
    expect(sums?.count).toBe(Number(sums?.newest) * 2);
    expect(written).toBeGreaterThan(Number(sums?.newest));
  });

  test('holds nothing of what was deleted', async () => {
    await openStore();
    const path = join(dataDir, 'firekeeper.sqlite');
    const secret = 'a sentence that somebody wanted forgotten';
    inDatabase(path, `insert into meta values ('said', '${secret}') returning key`);
    inDatabase(path, "delete from meta where key = 'said' returning key");
    inDatabase(path, 'pragma wal_checkpoint(truncate)');
    expect(readFileSync(path, 'latin1')).toContain(secret);
    expect(readFileSync((await makeBackup()).file, 'latin1')).not.toContain(secret);
  });

  test('names what it cannot hold', async () => {
    await openStore();
    putFile('workspaces/a/b/1/good', '');
    execFileSync('mkfifo', [join(dataDir, 'workspaces/a/b/1/pipe')]);
    const { files, leftOut } = await makeBackup();
    expect(files).toBe(1);
    expect(leftOut).toEqual(['workspaces/a/b/1/pipe']);
  });

  // Elsewhere no file can have such a name.
  test.runIf(process.platform === 'linux')('names a file whose name is no text', async () => {
    await openStore();
    mkdirSync(join(dataDir, 'workspaces'));
    writeFileSync(Buffer.from(`${dataDir}/workspaces/bad\xff`, 'latin1'), '');
    expect((await makeBackup()).leftOut).toEqual(['workspaces/bad\uFFFD']);
  });

  test('can be read without Firekeeper', async () => {
    await openStore();
    putFile('workspaces/a/b/1/notes', 'short');
    const { file } = await makeBackup();
    const rows = inDatabase(file, 'select name, sz, cast(data as text) as text from sqlar where sz > 0');
    expect(rows).toEqual([{ name: 'workspaces/a/b/1/notes', sz: 5, text: 'short' }]);
    expect(inDatabase(file, "select value ->> 'version' as version from meta where key = 'backup'")).toEqual([
      { version: '1.2.3' },
    ]);
  });

  test('overwrites nothing, and needs a database and a folder', async () => {
    const version = '1';
    const nowhere = join(elsewhere, 'no', 'where');
    expect(await backUp({ dataDir, file: join(elsewhere, 'a'), version, clock })).toMatchObject({
      kind: 'refused',
      reason: `there is no database in ${dataDir}`,
    });
    await openStore();
    expect(await backUp({ dataDir, file: nowhere, version, clock })).toMatchObject({ kind: 'refused' });
    const { file } = await makeBackup();
    const before = readFileSync(file);
    expect(await backUp({ dataDir, file, version, clock })).toEqual({
      kind: 'refused',
      reason: `${file} is there already`,
    });
    expect(readFileSync(file)).toEqual(before);
  });
});

describe('a restore', () => {
  /** A backup of a folder with one message, and that folder as it is. */
  async function makeOne(): Promise<string> {
    const store = await openStore();
    await accept(store, { text: 'before' });
    const { file } = await makeBackup();
    await store.close();
    return file;
  }

  async function refusal(folder: string, file: string, force = false): Promise<string> {
    const outcome = await restoreTo(folder, file, force);
    if (outcome.kind !== 'refused') throw new Error('it was restored');
    return outcome.reason;
  }

  test('waits for nobody: while a server holds the folder it is refused, whatever is forced', async () => {
    const file = await makeOne();
    const lock = await lockFolder(dataDir, clock);
    const before = readdirSync(dataDir);
    expect(await refusal(dataDir, file, true)).toContain(`process ${process.pid}`);
    expect(readdirSync(dataDir)).toEqual(before);
    await lock.release();
  });

  test('replaces nothing without --force, and with it puts aside what was there', async () => {
    const file = await makeOne();
    putFile('workspaces/a/b/1/later', 'later');
    putFile('admin-token', 'secret');
    expect(await refusal(dataDir, file)).toMatch(/holds workspaces, .*firekeeper\.sqlite already; --force/);
    const before = readFileSync(join(dataDir, 'firekeeper.sqlite'));

    const outcome = await restoreTo(dataDir, file, true);
    const aside = join(dataDir, 'before-restore-2026-05-01T12-00-00-000Z');
    expect(outcome).toMatchObject({ kind: 'restored', aside });
    expect(readFileSync(join(aside, 'firekeeper.sqlite'))).toEqual(before);
    expect(readFileSync(join(aside, 'workspaces/a/b/1/later'), 'utf8')).toBe('later');
    expect(readdirSync(dataDir).sort()).toEqual([
      'admin-token',
      'before-restore-2026-05-01T12-00-00-000Z',
      'firekeeper.sqlite',
      'lock.sqlite',
    ]);
    expect((await (await openStore()).inbox.counts()).waiting).toBe(1);
  });

  test('takes only a whole backup that this version understands', async () => {
    const file = await makeOne();
    const target = join(elsewhere, 'target');
    const [text, plain, newer, damaged] = ['text', 'plain', 'newer', 'damaged'].map((name) =>
      join(elsewhere, name),
    ) as [string, string, string, string];
    writeFileSync(text, 'no database at all, but some text that is long enough to be one'.repeat(99));
    copyFileSync(join(dataDir, 'firekeeper.sqlite'), plain);
    copyFileSync(file, newer);
    inDatabase(newer, "insert into kysely_migration values ('9999_later', '') returning name");
    const bytes = readFileSync(file);
    bytes.fill(0xab, 4_096 + 8, 4_096 * 3);
    writeFileSync(damaged, bytes);

    expect(await refusal(target, join(elsewhere, 'missing'))).toContain('there is no file');
    expect(await refusal(target, text)).toContain('cannot be read as a backup');
    expect(await refusal(target, plain)).toContain('is no backup');
    expect(await refusal(target, newer)).toMatch(/newer version of Firekeeper.*9999_later/);
    expect(await refusal(target, damaged)).toMatch(/damaged|cannot be read/);
    expect(existsSync(target)).toBe(false);
  });

  test('gives a new folder an owner of its own, and lets a used one keep its own', async () => {
    const ownerIn = (folder: string) =>
      inDatabase(join(folder, 'firekeeper.sqlite'), "select value from meta where key = 'owner'")[0]?.value;
    const store = await openStore();
    await store.meta.set('owner', 'of the backup');
    const { file } = await makeBackup();
    await store.meta.set('owner', 'of the folder');
    await store.close();

    const fresh = join(elsewhere, 'fresh');
    await restoreTo(fresh, file);
    expect(ownerIn(fresh)).toBeUndefined();
    await restoreTo(dataDir, file, true);
    expect(ownerIn(dataDir)).toBe('of the folder');
    writeFileSync(join(dataDir, 'firekeeper.sqlite'), 'damaged beyond reading');
    await clock.advance(1_000);
    await restoreTo(dataDir, file, true);
    expect(ownerIn(dataDir)).toBe('of the backup');
  });

  test('brings projects back with an update that goes on, and an audit that nobody can change', async () => {
    const store = await openStore();
    const { id } = await makeProject(store);
    await enqueue(store);
    await completeOne(store);
    await enqueue(store);
    const running = await claim(store);
    await write(store, running, (tx) => tx.events.add('update.started', 0, {}));
    const { file } = await makeBackup();
    const fresh = join(elsewhere, 'fresh');
    await restoreTo(fresh, file);
    const restored = await openStore(fresh);
    expect(await restored.projects.records.get(id)).toEqual(await store.projects.records.get(id));
    await restored.recover();
    expect((await claim(restored)).update).toMatchObject({ id: running.update.id, attempt: 2 });
    const change = 'update project_audit set reason = 1';
    expect(() => inDatabase(join(fresh, 'firekeeper.sqlite'), change)).toThrow('append-only');
  });

  test('has replies that were owed looked for before they are sent again', async () => {
    const store = await openStore();
    await store.outbox.add([replyIn(1, 'sent meanwhile')]);
    const { file } = await makeBackup();
    const fresh = join(elsewhere, 'fresh');
    await restoreTo(fresh, file);
    const [row] = await (await openStore(fresh)).outbox.claim(clock.now(), new Set(), 10);
    expect(row).toMatchObject({ state: 'unknown', attempts: 0, sendingAt: clock.now() });
  });

  test('writes through no link and outside of no folder', async () => {
    await openStore();
    putFile('workspaces/a/b/1/x', '');
    const { file } = await makeBackup();
    const outside = makeTempFolder();
    const row = (name: string, mode: number, sz: number, content: string) =>
      inDatabase(
        file,
        `insert into sqlar values ('${name}', ${mode}, 0, ${sz}, '${content}') returning name`,
      );
    row('workspaces/a/out', 0o120777, -1, outside);
    row('workspaces/a/out/file', 0o100644, 4, 'evil');
    await expect(restoreTo(join(elsewhere, 'one'), file)).rejects.toThrow();
    expect(readdirSync(outside)).toEqual([]);
    row('workspaces/../../up', 0o100644, 4, 'evil');
    await expect(restoreTo(join(elsewhere, 'two'), file)).rejects.toThrow();
    expect(existsSync(join(elsewhere, 'up'))).toBe(false);
    expect(lstatSync(outside).isDirectory()).toBe(true);
    expect(readdirSync(join(elsewhere, 'two'))).toEqual(['lock.sqlite']);
  });
});

test.each([
  ['workspaces', true],
  ['workspaces/a/..b/c.', true],
  ['projects/7/work', true],
  ['workspaces/../up', false],
  ['workspaces/./a', false],
  ['workspaces//a', false],
  ['workspaces/', false],
  ['/workspaces/a', false],
  ['..', false],
  ['', false],
  ['elsewhere/a', false],
  ['workspaces/a\0b', false],
])('%j lies within the folders of a backup: %s', (name, inside) => {
  expect(isInside(name, ['workspaces', 'projects'])).toBe(inside);
});
