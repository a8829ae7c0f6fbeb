import { BlockList, isIP } from 'node:net';

/** What only this machine or its network can reach, or what no host answers on: RFC 6890 and its successors. */
const PRIVATE_SUBNETS: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.0.2.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['198.51.100.0', 24, 'ipv4'],
  ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['::1', 128, 'ipv6'],
  // Ways to write an IPv4 address inside an IPv6 one: mapped, compatible, NAT64, 6to4, Teredo.
  ['::', 96, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'],
  ['64:ff9b:1::', 48, 'ipv6'],
  ['2002::', 16, 'ipv6'],
  ['2001::', 32, 'ipv6'],
  ['100::', 64, 'ipv6'],
  ['2001:db8::', 32, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['fec0::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
];

const PRIVATE = toBlockList(PRIVATE_SUBNETS);

/** Names that resolve on this machine or its network only. */
const PRIVATE_NAMES =
  /(^|\.)(localhost|local|localdomain|internal|intranet|lan|home|home\.arpa|corp|private)$/;

/** Whether an address is loopback, link-local, private or otherwise not on the public internet; no address counts as one. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  return family === 0 || PRIVATE.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * What a URL points at, as far as its text tells: a refusal, an address to go to, or a name to look up first. The
 * URL parser writes IPv4 addresses in one notation, whether they came as 127.1, 0x7f000001 or 2130706433.
 */
export type Target =
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'public-address' }
  | { readonly kind: 'name'; readonly name: string };

export function judgeTarget(url: string): Target {
  const parsed = URL.parse(url);
  if (parsed === null) return { kind: 'refused', reason: 'it is no URL' };
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
    return { kind: 'refused', reason: 'only http and https are fetched' };
  const host = parsed.hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '');
  if (isIP(host) !== 0)
    return isPrivateAddress(host)
      ? { kind: 'refused', reason: 'its address is private' }
      : { kind: 'public-address' };
  if (!host.includes('.') || PRIVATE_NAMES.test(host))
    return { kind: 'refused', reason: 'its name is private' };
  return { kind: 'name', name: host };
}

function toBlockList(subnets: typeof PRIVATE_SUBNETS): BlockList {
  const list = new BlockList();
  for (const [net, prefix, type] of subnets) list.addSubnet(net, prefix, type);
  return list;
}
