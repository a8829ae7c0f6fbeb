import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type FakeClock, makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { botId } from '../base/terms.ts';
import { makeLog } from '../telemetry/log.ts';
import { type Bots, type BotsDeps, makeBots } from './bots.ts';

let root: string;
let clock: FakeClock;
beforeEach(() => {
  root = makeTempFolder();
  clock = makeFakeClock();
});

function write(path: string, content: string | object): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
}

async function start(dirs = ['bots'], defaults: Partial<BotsDeps['defaults']> = {}): Promise<Bots> {
  const bots = await makeBots({
    dirs: dirs.map((dir) => join(root, dir)),
    defaults: {
      language: 'en',
      model: 'some-model',
      sessionScope: 'room',
      sessionTtlMs: 1_000,
      doubleTexting: 'enqueue',
      turnTimeoutMs: 1_000,
      keys: {},
      defaultKey: null,
      noShell: null,
      ...defaults,
    },
    clock,
    log: makeLog({ level: 'silent', pretty: false }),
  });
  onTestFinished(() => bots.close());
  return bots;
}

const errors = (bots: Bots) => bots.problems().filter(({ severity }) => severity === 'error');
const get = (bots: Bots, id: string) => bots.get(botId(id));

/** Lets the watch look until it has seen; the files are read in real time, so each look gets some turns to end. */
async function untilSeen(seen: () => boolean): Promise<void> {
  for (let looks = 0; looks < 1_000 && !seen(); looks += 1) await clock.advance(3_000);
  expect(seen()).toBe(true);
}

test('without a bot file there is one plain bot', async () => {
  const bots = await start();
  expect(bots.all()).toHaveLength(1);
  expect(bots.default()).toMatchObject({ id: 'default', name: 'firekeeper', model: 'some-model' });
  expect(bots.problems()).toMatchObject([{ severity: 'warning', reason: 'does not exist' }]);
});

test('bots of every folder and format load; a broken file takes nobody down and is named', async () => {
  write('bots/a.json', { bot_id: 'a', bot_key: '1-a' });
  write('bots/b.yml', 'bot_id: b\n');
  write('more/c.yaml', 'bot_id: c\ndefault: true\n');
  write('more/broken.yaml', 'bot_id: [\n');
  write('more/notes.txt', 'not a bot');
  write('more/.hidden.yaml', 'bot_id: hidden\n');
  const bots = await start(['bots', 'more']);
  expect(bots.all().map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  expect(bots.default()?.id).toBe('c');
  expect(bots.byKey('1-a')?.id).toBe('a');
  expect(errors(bots)).toMatchObject([
    { file: join(root, 'more/broken.yaml'), reason: expect.stringContaining('line') },
  ]);
});

test('when every file is broken there is no bot, not a plain one', async () => {
  write('bots/a.json', '{');
  const bots = await start();
  expect(bots.all()).toEqual([]);
  expect(bots.default()).toBeNull();
});

test('the key in the environment is over the one in the file', async () => {
  write('bots/a.json', { bot_id: 'front-desk', bot_key: '1-file' });
  const bots = await start(['bots'], { keys: { BOT_KEY_FRONT_DESK: '1-env' } });
  expect(bots.byKey('1-env')?.id).toBe('front-desk');
  expect(bots.byKey('1-file')).toBeNull();
});

describe('prompt files', () => {
  test.each([
    ['beside the file', 'bots', 'bots/x.md', 'x.md'],
    ['in its prompts folder', 'bots', 'bots/prompts/x.md', 'x.md'],
    ['in a folder of that', 'bots', 'bots/prompts/team/x.md', 'team/x.md'],
    ['where the predecessor kept it, by id', 'prompts/configs', 'prompts/bots/a.md', 'whatever.md'],
    ['where the predecessor kept it, by name', 'prompts/configs', 'prompts/bots/other.md', 'other.md'],
    ['where the predecessor kept it for bots/', 'bots', 'prompts/bots/a.md', 'a.md'],
  ])('%s', async (_name, dir, prompt, named) => {
    write(`${dir}/a.yaml`, `bot_id: a\nsystem_prompt_file: ${named}\n`);
    write(prompt, 'Be kind.');
    const bots = await start([dir]);
    expect(errors(bots)).toEqual([]);
    expect(get(bots, 'a')?.systemPrompt).toBe('Be kind.');
  });

  test.each([
    ['../secret.md', 'leads out'],
    ['prompts/../../secret.md', 'leads out'],
    ['link.md', 'leads out'],
    ['missing.md', 'no such file'],
    ['secret.txt', 'a .md file'],
  ])('%s is refused', async (named, reason) => {
    write('secret.md', 'secret');
    write('bots/secret.txt', 'secret');
    write('bots/a.json', { bot_id: 'a', system_prompt_file: named });
    symlinkSync(join(root, 'secret.md'), join(root, 'bots/link.md'));
    const bots = await start();
    expect(get(bots, 'a')).toBeNull();
    expect(errors(bots)).toMatchObject([
      { field: 'system_prompt_file', reason: expect.stringContaining(reason) },
    ]);
  });

  test('an absolute path is refused', async () => {
    write('secret.md', 'secret');
    write('bots/a.json', { bot_id: 'a', system_prompt_file: join(root, 'secret.md') });
    expect(errors(await start())).toMatchObject([{ field: 'system_prompt_file' }]);
  });
});

describe('changes on disk', () => {
  test('an edit is picked up; untouched bots stay the same objects', async () => {
    write('bots/a.json', { bot_id: 'a', name: 'before' });
    write('bots/b.json', { bot_id: 'b', rooms: { '7': { session_ttl: '5m' } } });
    const bots = await start();
    const b = get(bots, 'b');
    write('bots/a.json', { bot_id: 'a', name: 'after' });
    await untilSeen(() => get(bots, 'a')?.name === 'after');
    expect(get(bots, 'b')).toBe(b);
  });

  test('an edit of a prompt is picked up, in a folder of its own too', async () => {
    write('bots/a.json', { bot_id: 'a', system_prompt_file: 'team/x.md' });
    write('bots/prompts/team/x.md', 'before');
    const bots = await start();
    write('bots/prompts/team/x.md', 'after');
    await untilSeen(() => get(bots, 'a')?.systemPrompt === 'after');
  });

  test('a bad edit keeps the last good version and is told, until it is good again', async () => {
    write('bots/a.json', { bot_id: 'a', name: 'good' });
    const bots = await start();
    const good = get(bots, 'a');
    write('bots/a.json', '{ "bot_id": ');
    await untilSeen(() => errors(bots).length === 1);
    expect(get(bots, 'a')).toBe(good);
    expect(errors(bots)[0]?.reason).toContain('the last good version stays in use');
    write('bots/a.json', { bot_id: 'a', name: 'better' });
    await untilSeen(() => errors(bots).length === 0);
    expect(get(bots, 'a')?.name).toBe('better');
  });

  test('a prompt that goes missing keeps the last good version', async () => {
    write('bots/a.json', { bot_id: 'a', system_prompt_file: 'x.md' });
    write('bots/x.md', 'Be kind.');
    const bots = await start();
    rmSync(join(root, 'bots/x.md'));
    await untilSeen(() => errors(bots).length === 1);
    expect(get(bots, 'a')?.systemPrompt).toBe('Be kind.');
  });

  test('a deleted file removes its bot, a new one adds its bot, the last one leaves the plain bot', async () => {
    write('bots/a.json', { bot_id: 'a' });
    const bots = await start();
    write('bots/b.json', { bot_id: 'b' });
    await untilSeen(() => bots.all().length === 2);
    rmSync(join(root, 'bots/a.json'));
    await untilSeen(() => get(bots, 'a') === null);
    rmSync(join(root, 'bots'), { recursive: true });
    await untilSeen(() => get(bots, 'default') !== null);
    expect(bots.all()).toHaveLength(1);
  });

  test('a folder that comes later is seen', async () => {
    write('elsewhere/a.json', { bot_id: 'a' });
    const bots = await start();
    renameSync(join(root, 'elsewhere'), join(root, 'bots'));
    await untilSeen(() => get(bots, 'a') !== null);
  });

  test('reload reads at once; calls that come together are served together', async () => {
    write('bots/a.json', { bot_id: 'a' });
    const bots = await start();
    write('bots/b.json', { bot_id: 'b' });
    await Promise.all([bots.reload(), bots.reload(), bots.reload()]);
    expect(get(bots, 'b')).not.toBeNull();
  });

  test('close leaves no timer', async () => {
    const bots = await start();
    bots.close();
    expect(clock.pending()).toBe(0);
  });
});

test('the bots that come with Firekeeper load without a word', async () => {
  const bots = await makeBots({
    dirs: [join(import.meta.dirname, '../../bots')],
    defaults: {
      language: 'en',
      model: undefined,
      sessionScope: 'room',
      sessionTtlMs: null,
      doubleTexting: 'enqueue',
      turnTimeoutMs: 1,
      keys: {},
      defaultKey: null,
      noShell: null,
    },
    clock,
    log: makeLog({ level: 'silent', pretty: false }),
  });
  bots.close();
  expect(bots.problems()).toEqual([]);
  expect(bots.all().map(({ id }) => id)).toEqual(['reader', 'assistant']);
  expect(bots.default()?.id).toBe('assistant');
});
