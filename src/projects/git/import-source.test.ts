import { describe, expect, test } from 'vitest';
import { ImportRefused } from '../repository.ts';
import { parseSource } from './import-source.ts';

describe('a source by its spelling', () => {
  test.each([
    ['/srv/repositories/app.git', 'file', '/srv/repositories/app.git'],
    ['https://example.org/app.git', 'https', 'https://example.org/app.git'],
    ['HTTPS://EXAMPLE.org:8443/a/b', 'https', 'https://example.org:8443/a/b'],
  ])('%s is taken', (source, transport, address) => {
    expect(parseSource(source)).toEqual({ transport, address });
  });

  test.each([
    '',
    'app',
    './app',
    '../app',
    '~/app',
    '-u/app',
    '--upload-pack=touch /tmp/x',
    '-upload-pack=x',
    'file:///srv/app',
    'http://example.org/app',
    'git://example.org/app',
    'ssh://git@example.org/app',
    'git@example.org:app.git',
    'example.org:app',
    'ext::sh -c touch% /tmp/x',
    'fd::17',
    'ftp://example.org/app',
    'https:/example.org/app',
    'https://',
    'https:example.org/app',
    'https::http://example.org',
    'https://-oProxyCommand=x/app',
    ' https://example.org/app',
    '/srv/app\n--upload-pack=x',
    'https://example.org/\u0000',
    `https://example.org/${'a'.repeat(3_000)}`,
  ])('%j is refused', (source) => {
    expect(() => parseSource(source)).toThrow(ImportRefused);
  });

  test('an address with a password is refused and not repeated', () => {
    const spoken = () => parseSource('https://me:hunter2@example.org/app');
    expect(spoken).toThrow(ImportRefused);
    expect(spoken).not.toThrow('hunter2');
    expect(() => parseSource('https://token@example.org/app')).toThrow(ImportRefused);
  });
});
