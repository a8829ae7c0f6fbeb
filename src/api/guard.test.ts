import { describe, expect, it } from 'vitest';
import { decideGuard } from './guard.ts';

const HERE = { host: '127.0.0.1', localAddress: '127.0.0.1', publicUrl: null };
const PUBLIC = { host: '0.0.0.0', localAddress: '10.0.0.5', publicUrl: new URL('https://fire.example:8443') };

describe('decideGuard', () => {
  it.each([
    ['the listening address', HERE, { host: '127.0.0.1:5000' }, 'pass'],
    ['localhost', HERE, { host: 'localhost:5000' }, 'pass'],
    ['localhost in capitals', HERE, { host: 'LocalHost' }, 'pass'],
    ['localhost behind a port mapping', HERE, { host: 'localhost:8080' }, 'pass'],
    [
      'an IPv6 listening address',
      { ...HERE, host: '::1', localAddress: '::1' },
      { host: '[::1]:5000' },
      'pass',
    ],
    ['a name that HOST is', { ...HERE, host: 'fire.local' }, { host: 'fire.local:5000' }, 'pass'],
    ['the address reached on a wildcard', PUBLIC, { host: '10.0.0.5:5000' }, 'pass'],
    [
      'the mapped address reached',
      { ...PUBLIC, localAddress: '::ffff:10.0.0.5' },
      { host: '10.0.0.5' },
      'pass',
    ],
    ["PUBLIC_URL's host", PUBLIC, { host: 'fire.example:8443' }, 'pass'],
    ["PUBLIC_URL's host without its port", PUBLIC, { host: 'fire.example' }, 'pass'],
    ['no Host', HERE, {}, 'foreign_host'],
    ['another name', HERE, { host: 'rebound.example:5000' }, 'foreign_host'],
    ['a name that ends like ours', HERE, { host: 'x.localhost' }, 'foreign_host'],
    ['a name that begins like ours', HERE, { host: 'localhost.example' }, 'foreign_host'],
    ['another address', HERE, { host: '10.0.0.5:5000' }, 'foreign_host'],
    ['a Host with a user', HERE, { host: 'localhost@evil.example' }, 'foreign_host'],
    ['a Host with a path', HERE, { host: 'localhost/evil' }, 'foreign_host'],
    ["PUBLIC_URL's host where there is none", HERE, { host: 'fire.example' }, 'foreign_host'],

    ['our own page', HERE, { host: 'localhost:5000', origin: 'http://localhost:5000' }, 'pass'],
    ['our own page on the default port', HERE, { host: 'localhost:80', origin: 'http://localhost' }, 'pass'],
    ['our public page', PUBLIC, { host: 'fire.example:8443', origin: 'https://fire.example:8443' }, 'pass'],
    [
      'our page, said twice',
      HERE,
      { host: 'localhost', origin: 'http://localhost', 'sec-fetch-site': 'same-origin' },
      'pass',
    ],
    ['an address typed by a person', HERE, { host: 'localhost', 'sec-fetch-site': 'none' }, 'pass'],
    ['another page', HERE, { host: 'localhost:5000', origin: 'https://evil.example' }, 'foreign_origin'],
    [
      'a page of another port',
      HERE,
      { host: 'localhost:5000', origin: 'http://localhost:3000' },
      'foreign_origin',
    ],
    ['a page of another scheme', HERE, { host: 'localhost', origin: 'https://localhost' }, 'foreign_origin'],
    [
      'a page by another of our names',
      HERE,
      { host: 'localhost:5000', origin: 'http://127.0.0.1:5000' },
      'foreign_origin',
    ],
    ['a sandboxed page', HERE, { host: 'localhost', origin: 'null' }, 'foreign_origin'],
    ['an Origin that is none', HERE, { host: 'localhost', origin: '' }, 'foreign_origin'],
    ['another site', HERE, { host: 'localhost', 'sec-fetch-site': 'cross-site' }, 'foreign_origin'],
    [
      'another origin of this site',
      HERE,
      { host: 'localhost', 'sec-fetch-site': 'same-site' },
      'foreign_origin',
    ],
  ] as const)('%s', (_title, server, headers, expected) => {
    expect(decideGuard({ ...server, headers })).toBe(expected);
  });
});
