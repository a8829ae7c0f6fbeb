import type { IncomingHttpHeaders } from 'node:http';

export type GuardFacts = {
  readonly headers: IncomingHttpHeaders;
  /** The server's own end of the connection; undefined where there is no socket. */
  readonly localAddress: string | undefined;
  /** `HOST` */
  readonly host: string;
  /** `PUBLIC_URL` */
  readonly publicUrl: URL | null;
};

export type GuardDecision = 'pass' | 'foreign_host' | 'foreign_origin';

/**
 * Keeps browsers' other pages out. A name that an attacker lets point here (DNS rebinding) shows in `Host`; a request
 * that another page makes shows in `Origin` or `Sec-Fetch-Site`. The port of `Host` is not compared: container port
 * mappings change it, and neither attack can choose it.
 */
export function decideGuard(facts: GuardFacts): GuardDecision {
  const { headers } = facts;
  const name = hostName(headers.host);
  if (name === null || !isOurName(name, facts)) return 'foreign_host';
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'foreign_origin';
  if (headers.origin !== undefined && !isOurOrigin(headers.origin, headers.host, facts.publicUrl))
    return 'foreign_origin';
  return 'pass';
}

/** The name or address in a `Host` header, without its port and brackets; null when it is no proper one. */
function hostName(header: string | undefined): string | null {
  const [, bracketed, plain] =
    /^(?:\[([\da-f:.]+)\]|([^\s:/?#@[\]\\]+))(?::\d{1,5})?$/i.exec(header ?? '') ?? [];
  return (bracketed ?? plain)?.toLowerCase() ?? null;
}

function isOurName(name: string, { host, localAddress, publicUrl }: GuardFacts): boolean {
  if (name === 'localhost' || name === host.toLowerCase()) return true;
  // HOST may be a wildcard; then the address that the caller reached is a listening one.
  if (localAddress !== undefined && name === localAddress.replace(/^::ffff:/i, '').toLowerCase()) return true;
  return publicUrl !== null && name === publicUrl.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

function isOurOrigin(origin: string, host: string | undefined, publicUrl: URL | null): boolean {
  if (origin === publicUrl?.origin) return true;
  // Whoever serves over https names the address in PUBLIC_URL; this server itself speaks http.
  return URL.canParse(origin) && origin === new URL(`http://${host}`).origin;
}
