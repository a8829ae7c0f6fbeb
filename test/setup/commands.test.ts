/** The commands of `bin/`, from a foreign folder and through a symbolic link, as an operator may call them. */
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './root.ts';
import { makeTempFolder } from './temp.ts';

type Ended = { readonly code: number; readonly out: string; readonly err: string };

/** Runs `bin/<command>` of the checkout through a link in a folder with a space in its name. */
function runLinked(command: string, args: readonly string[]): Promise<Ended> {
  const folder = join(makeTempFolder(), 'some where');
  mkdirSync(folder);
  const link = join(folder, command);
  symlinkSync(join(ROOT, 'bin', command), link);
  return runFile(link, args, folder);
}

function runFile(file: string, args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    // The Node of this run first, since a copied command finds no other that knows TypeScript.
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    execFile(file, args, { cwd, env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

describe('the commands', () => {
  test('the command line explains itself wherever it is called from', async () => {
    const { code, out, err } = await runLinked('firekeeper', ['--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('Usage: firekeeper');
  });

  test('the server’s Node keeps its heap small, wherever it is called from', async () => {
    const { code, out, err } = await runLinked('node', ['-p', 'process.execArgv.join()']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^--max-semi-space-size=8,--heap-growing-percent=50,/);
  });

  test('a dependency install that is up to date says nothing', async () => {
    expect(await runLinked('prepare', [])).toEqual({ code: 0, out: '', err: '' });
  });

  test.each(['bench', 'chaos'])(
    '%s without a name lists what there is, and refuses what there is not',
    async (command) => {
      const listed = await runLinked(command, []);
      expect(listed).toMatchObject({ code: 0, err: '' });
      expect(listed.out).toContain(`Usage: bin/${command} NAME… | all`);

      const refused = await runLinked(command, ['../src/main']);
      expect(refused).toMatchObject({ code: 2, out: '' });
      expect(refused.err).toContain(`There is no ${command}/../src/main.ts`);
    },
  );

  test('a folder of runs is listed with its first words, run in order, and fails when one fails', async () => {
    const folder = makeTempFolder();
    const files = {
      'bin/run-folder': null,
      'bin/prepare': '#!/bin/sh\n',
      'bin/node': '#!/bin/sh\nexec node "$@"\n',
      'bench/good.ts': "/** Measures the good. */\nprocess.stdout.write('good ran\\n');\n",
      'bench/bad.ts': '/** Measures the bad. */\nprocess.exitCode = 3;\n',
    };
    mkdirSync(join(folder, 'bin'));
    mkdirSync(join(folder, 'bench'));
    for (const [path, text] of Object.entries(files)) {
      if (text === null) await runFile('cp', ['-p', join(ROOT, path), join(folder, path)], folder);
      else writeFileSync(join(folder, path), text, { mode: 0o755 });
    }
    const run = (...args: string[]) => runFile(join(folder, 'bin/run-folder'), ['bench', ...args], folder);

    expect((await run()).out).toMatch(/bad +Measures the bad\.\n +good +Measures the good\.\n$/);
    expect(await run('good')).toEqual({ code: 0, out: 'good ran\n', err: '' });
    expect(await run('bad', 'good')).toMatchObject({ code: 1, out: 'good ran\n', err: 'Failed: bad\n' });
    expect(await run('all')).toMatchObject({ code: 1, out: 'good ran\n' });
  });
});
