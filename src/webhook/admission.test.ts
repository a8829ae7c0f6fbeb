import { describe, expect, it } from 'vitest';
import { decideAdmission } from './admission.ts';

describe('decideAdmission', () => {
  it.each([
    ['the right token, from anywhere', true, '203.0.113.9', { 'x-forwarded-for': '1.2.3.4' }, 'admitted'],
    ['a wrong token, even from here', false, '127.0.0.1', {}, 'wrong_token'],
    ['a direct caller on IPv4 loopback', null, '127.0.0.1', {}, 'admitted'],
    ['a direct caller on another loopback address', null, '127.8.9.1', {}, 'admitted'],
    ['a direct caller on IPv6 loopback', null, '::1', {}, 'admitted'],
    ['a direct caller on mapped loopback', null, '::ffff:127.0.0.1', {}, 'admitted'],
    ['another machine', null, '192.168.1.7', {}, 'not_local'],
    ['a mapped other machine', null, '::ffff:10.0.0.1', {}, 'not_local'],
    ['an address that only begins like loopback', null, '127.0.0.1.example', {}, 'not_local'],
    ['no address at all', null, undefined, {}, 'not_local'],
    ['a proxy that says Forwarded', null, '127.0.0.1', { forwarded: 'for=1.2.3.4' }, 'not_local'],
    ['a proxy that says Via', null, '127.0.0.1', { via: '1.1 nginx' }, 'not_local'],
    ['a proxy that says X-Forwarded-For', null, '127.0.0.1', { 'x-forwarded-for': '' }, 'not_local'],
    ['a proxy that says X-Forwarded-Proto', null, '::1', { 'x-forwarded-proto': 'https' }, 'not_local'],
  ] as const)('%s', (_title, tokenMatches, peer, headers, expected) => {
    expect(decideAdmission({ tokenMatches, peer, headers })).toBe(expected);
  });
});
