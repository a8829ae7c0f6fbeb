import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeTempFolder } from '../../test/setup/temp.ts';
import { probeSandbox } from './probe-sandbox.ts';

function folderWith(programs: Readonly<Record<string, string>>): string {
  const folder = makeTempFolder();
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

it('says what is not installed', async () => {
  const reason = (lacking: string) => {
    return { kind: 'missing', reason: `its sandbox needs ${lacking}, not installed here` };
  };
  expect(await probeSandbox(folderWith({}), 'linux')).toEqual(reason('bubblewrap and socat'));
  expect(await probeSandbox(folderWith({ bwrap: ':' }), 'linux')).toEqual(reason('socat'));
  // A relative entry of PATH is whatever the working directory of the moment holds.
  expect(await probeSandbox('.:bin', 'linux')).toEqual(reason('bubblewrap and socat'));
});

it('says what the host refuses, in the words of the program', async () => {
  const bwrap = 'echo "bwrap: No permissions to create new namespace" >&2; exit 1';
  expect(await probeSandbox(folderWith({ bwrap, socat: ':' }), 'linux')).toEqual({
    kind: 'missing',
    reason: 'bubblewrap cannot start a sandbox here (bwrap: No permissions to create new namespace)',
  });
});

it('works where both are and a command runs', async () => {
  expect(await probeSandbox(folderWith({ bwrap: ':', socat: ':' }), 'linux')).toEqual({ kind: 'works' });
});

it('is not there on another system', async () => {
  expect(await probeSandbox('/usr/bin', 'darwin')).toMatchObject({ kind: 'missing' });
});
