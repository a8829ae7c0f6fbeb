import { describe, expect, it } from 'vitest';
import { isPrivateAddress, judgeTarget } from './private-address.ts';

describe('judgeTarget', () => {
  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1:8080/',
    'http://127.0.0.1./',
    'http://user:pass@127.0.0.1/',
    'http://①②⑦.0.0.1/',
    'http://0/',
    'http://10.1.2.3/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://100.64.0.1/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[fe80::1]/',
    'http://[fd12::1]/',
    'http://localhost:5000/',
    'http://LOCALHOST./',
    'http://app.localhost/',
    'http://printer.local/',
    'http://metadata.google.internal/',
    'http://router/',
    'file:///etc/passwd',
    'ftp://example.com/',
    'data:text/plain,x',
    'example.com',
    'http://',
    'http://exa mple.com/',
    '',
  ])('refuses %s', (url) => {
    expect(judgeTarget(url)).toMatchObject({ kind: 'refused' });
  });

  it.each([
    ['https://example.com/a?b=c', { kind: 'name', name: 'example.com' }],
    ['https://EXAMPLE.com./', { kind: 'name', name: 'example.com' }],
    ['https://localhost.example.com/', { kind: 'name', name: 'localhost.example.com' }],
    ['http://1.1.1.1/', { kind: 'public-address' }],
    ['http://[2606:4700:4700::1111]/', { kind: 'public-address' }],
  ])('lets %s go on', (url, target) => {
    expect(judgeTarget(url)).toEqual(target);
  });
});

describe('isPrivateAddress', () => {
  it.each([
    ['8.8.8.8', false],
    ['172.32.0.1', false],
    ['172.31.255.255', true],
    ['255.255.255.255', true],
    ['2a00:1450:4001::1', false],
    ['fe80::1%eth0', true],
    ['no address', true],
  ])('%s: %s', (address, expected) => {
    expect(isPrivateAddress(address)).toBe(expected);
  });

  it.each([
    ['this network', '0.1.2.3'],
    ['private, large', '10.255.0.1'],
    ['shared by a carrier', '100.127.255.254'],
    ['loopback', '127.200.0.1'],
    ['link-local', '169.254.1.1'],
    ['private, middle', '172.20.0.1'],
    ['protocol assignments', '192.0.0.8'],
    ['documentation 1', '192.0.2.1'],
    ['private, small', '192.168.255.1'],
    ['benchmarks', '198.19.0.1'],
    ['documentation 2', '198.51.100.7'],
    ['documentation 3', '203.0.113.7'],
    ['multicast', '239.255.255.250'],
    ['reserved', '240.0.0.1'],
    ['IPv4 mapped', '::ffff:10.0.0.1'],
    ['IPv4 mapped, in hexadecimal', '::ffff:a9fe:a9fe'],
    ['IPv4 compatible', '::10.0.0.1'],
    ['NAT64', '64:ff9b::a00:1'],
    ['local NAT64', '64:ff9b:1::a00:1'],
    ['6to4', '2002:a00:1::1'],
    ['Teredo', '2001:0:4136:e378::1'],
    ['discarded', '100::1'],
    ['IPv6 documentation', '2001:db8::1'],
    ['unique local', 'fdff::1'],
    ['IPv6 link-local', 'febf::1'],
    ['site-local', 'fec0::1'],
    ['IPv6 multicast', 'ff02::1'],
  ])('%s: %s is private', (_name, address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });
});
