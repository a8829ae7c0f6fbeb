import type { IncomingHttpHeaders } from 'node:http';
import type { RefusalCode } from './refusals.ts';

/** What is known of a caller before its body is read. */
export type Caller = {
  /** Null when no `WEBHOOK_TOKEN` is configured. */
  readonly tokenMatches: boolean | null;
  /** The peer address of the socket. */
  readonly peer: string | undefined;
  readonly headers: IncomingHttpHeaders;
};

/**
 * A configured token decides alone. Without one the caller must be a process on this machine that nobody forwarded:
 * a reverse proxy lives on loopback too.
 */
export function decideAdmission(caller: Caller): 'admitted' | RefusalCode {
  if (caller.tokenMatches !== null) return caller.tokenMatches ? 'admitted' : 'wrong_token';
  return isLoopback(caller.peer) && !wasForwarded(caller.headers) ? 'admitted' : 'not_local';
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:::1|(?:::ffff:)?127(?:\.\d{1,3}){3})$/i.test(address);
}

function wasForwarded(headers: IncomingHttpHeaders): boolean {
  return Object.keys(headers).some(
    (name) => name === 'forwarded' || name === 'via' || name.startsWith('x-forwarded-'),
  );
}
