/** The files by which Firekeeper is installed, as far as they can be checked without Docker and systemd. */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { VARIABLE_NAMES } from '../src/config/variables.ts';
import { readConfig } from '../src/config.ts';
import { readImage, readRoot } from './setup/image.ts';

const image = readImage();
/** Names that are not ours, and what reads them: Node, Compose itself. */
const FOREIGN = ['NODE_ENV', 'CAMPFIRE_NETWORK', 'CAMPFIRE_VOLUME'];

function unknownAmong(names: readonly string[]): readonly string[] {
  const known = new Set<string>([...VARIABLE_NAMES, ...FOREIGN]);
  return names.filter((name) => !known.has(name) && !/^(BOT_KEY|CLAUDE_CODE_USE)_/.test(name));
}

/** Whether the server would start with these, given the secrets that a person adds. */
function problemsWith(env: Readonly<Record<string, string>>): unknown {
  try {
    return readConfig({ WEBHOOK_TOKEN: 'x', ...env }, '/app').warnings;
  } catch (error) {
    return error;
  }
}

describe('the Dockerfile', () => {
  test('copies files that exist and that .dockerignore lets through', () => {
    const allowed = readRoot('.dockerignore')
      .split('\n')
      .flatMap((line) => /^!(.+)/.exec(line)?.[1] ?? []);
    expect(image.copied.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)))).toEqual([]);
    expect(image.copied.filter((path) => !allowed.includes(path))).toEqual([]);
    expect(allowed.filter((path) => !image.copied.includes(path))).toEqual([]);
  });

  test('sets variables that the server knows, to what it takes', () => {
    expect(unknownAmong(Object.keys(image.env))).toEqual([]);
    expect(problemsWith(image.env)).toEqual([]);
  });

  test('runs the server with its own Node, behind an init, as the user of Campfire’s image', () => {
    expect(image.user).toBe('1000:1000');
    expect(image.entrypoint[0]).toBe('tini');
    expect(readRoot('Dockerfile')).toMatch(/apt-get install [^\n]*\btini\b/);
    expect(image.command).toEqual(['bin/node', 'src/main.ts']);
    expect(image.healthcheck[0]).toBe('node_modules/.bin/node');
  });
});

describe('compose.yaml', () => {
  const compose = parse(readRoot('compose.yaml'));
  const { firekeeper } = compose.services;

  test('sets variables that the server knows, to what it takes', () => {
    const filled = Object.entries<string>(firekeeper.environment).map(
      ([name, value]) => [name, value.replace(/\$\{\w+:(?:-([^}]*)|\?[^}]*)\}/, 'http://x')] as const,
    );
    expect(unknownAmong(filled.map(([name]) => name))).toEqual([]);
    expect(problemsWith(Object.fromEntries(filled))).toEqual([]);
  });

  test('asks for variables that the server or Compose knows', () => {
    const asked = [...readRoot('compose.yaml').matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
    expect(asked).toContain('WEBHOOK_TOKEN');
    expect(unknownAmong(asked)).toEqual([]);
    expect([...readRoot('compose.yaml').matchAll(/^# +([A-Z_]+)=/gm)].length).toBeGreaterThan(3);
    expect(
      unknownAmong([...readRoot('compose.yaml').matchAll(/\b([A-Z_]+)=/g)].map(([, name = '']) => name)),
    ).toEqual([]);
  });

  test('mounts what exists, keeps what must stay, and only reads Campfire’s storage', () => {
    const mounts: readonly string[] = firekeeper.volumes;
    expect(mounts).toContain(`data:${image.env.DATA_DIR}`);
    expect(mounts.find((mount) => mount.startsWith('campfire:'))).toMatch(/:ro$/);
    for (const mount of mounts) {
      const [source = ''] = mount.split(':');
      if (source.startsWith('.')) expect(existsSync(new URL(`../${source}`, import.meta.url))).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
    expect(firekeeper.networks).toEqual(Object.keys(compose.networks));
  });

  test('shows its port to this machine alone, and gives a stop the time that it needs', () => {
    expect(firekeeper.ports).toEqual([`127.0.0.1:${image.env.PORT}:${image.env.PORT}`]);
    expect(seconds(firekeeper.stop_grace_period)).toBeGreaterThanOrEqual(STOP_SECONDS);
  });
});

describe('the systemd unit', () => {
  const directives = readRoot('deploy/firekeeper.service')
    .split('\n')
    .flatMap((line) => {
      const [, name, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [{ name, value }];
    });
  const setting = (name: string) => directives.find((directive) => directive.name === name)?.value;

  test('sets variables that the server knows, to what it takes', () => {
    const pairs = (setting('Environment') ?? '').split(' ').map((pair) => pair.split('='));
    expect(unknownAmong(pairs.map(([name = '']) => name))).toEqual([]);
    expect(problemsWith(Object.fromEntries(pairs))).toEqual([]);
    expect(Object.fromEntries(pairs).DATA_DIR).toBe(setting('ReadWritePaths'));
  });

  test('asks the server alone to stop, in the time that it needs, and then ends what is left', () => {
    expect(setting('KillMode')).toBe('mixed');
    expect(Number(setting('TimeoutStopSec'))).toBeGreaterThanOrEqual(STOP_SECONDS);
  });

  test('starts what the checkout has, from the checkout', () => {
    const [, program = ''] = /^(\S+) src\/main\.ts$/.exec(setting('ExecStart') ?? '') ?? [];
    expect(program).toBe(`${setting('WorkingDirectory')}/bin/node`);
  });

  test.each([
    ['NoNewPrivileges', 'yes'],
    ['ProtectSystem', 'strict'],
    ['ProtectHome', 'yes'],
    ['PrivateTmp', 'yes'],
    ['CapabilityBoundingSet', ''],
  ])('is held by %s=%s', (name, value) => {
    expect(setting(name)).toBe(value);
  });
});

test('every variable that docs/installing.md and docs/backup.md set is known', () => {
  const pages = readRoot('docs/installing.md') + readRoot('docs/backup.md');
  const named = [...pages.matchAll(/^\s*([A-Z][A-Z_]+)=/gm)].map(([, name = '']) => name);
  expect(named).toContain('WEBHOOK_TOKEN');
  expect(unknownAmong(named)).toEqual([]);
});

/** `DRAIN_SECONDS`, and what `main.ts` gives a stop in all: below ten seconds. */
const STOP_SECONDS = 10;

function seconds(text: string): number {
  return Number(/^(\d+)s$/.exec(text)?.[1]);
}
