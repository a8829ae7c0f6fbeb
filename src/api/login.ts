import { createHmac, hash, randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import { makeSecretMatcher } from '../base/secret.ts';
import type { Instant } from '../base/terms.ts';
import { makeAttempts } from './attempts.ts';
import { type ProblemCode, sendProblem } from './problems.ts';

export const LOGIN_COOKIE = 'firekeeper_login';

const COOKIE_MS = 7 * 24 * 60 * 60 * 1_000;
/** Long enough to find the terminal again. */
const CODE_MS = 15 * 60 * 1_000;
const MOST_CODES = 20;

/**
 * What the token of a project looks like. It is never the admin token, and sending it where that is needed is no
 * attempt to guess one: counting it would lock out everybody behind the same proxy.
 */
export const PROJECT_TOKEN = /^fkp_[\w-]{43}$/;

export type LoginRefusal = Extract<
  ProblemCode,
  'login_required' | 'wrong_token' | 'wrong_code' | 'too_many_attempts'
>;

/** Who may use the routes behind `ADMIN_TOKEN`: its bearer, or a browser that showed it (or a code) once. */
export type Login = {
  /** By the login cookie, else by the bearer token. */
  check(request: FastifyRequest): 'logged-in' | LoginRefusal;
  /** Whether what let it in still would: a stream ends with the login that opened it. Counts no attempt. */
  isStillIn(request: FastifyRequest): boolean;
  /** An `onRequest` hook that answers 401 (or 429) unless `check` agrees. */
  require(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined>;
  /** Changes a token or a code into a cookie (the value of `Set-Cookie`), or says why not. */
  exchange(
    request: Pick<FastifyRequest, 'ip' | 'server'>,
    proof: { readonly token: string } | { readonly code: string },
  ): { readonly setCookie: string; readonly expiresAt: Instant } | LoginRefusal;
  readonly codes: LoginCodes;
};

/** Single-use codes for the page's address; they belong behind its `#`, which no server and no log sees. */
export type LoginCodes = { issue(): string };

export function makeLogin(deps: {
  readonly adminToken: string;
  /** `PUBLIC_URL`; behind https the cookie is `Secure`. */
  readonly publicUrl: string | null;
  readonly clock: Clock;
}): Login {
  const { clock } = deps;
  const isAdminToken = makeSecretMatcher(deps.adminToken);
  const cookieKey = createHmac('sha256', deps.adminToken).update('firekeeper login cookie').digest();
  const attempts = makeAttempts(clock);
  const codes = makeCodes(clock);

  function sign(expires: string): string {
    return createHmac('sha256', cookieKey).update(expires).digest('base64url');
  }

  function hasCookie({ server, headers }: FastifyRequest): boolean {
    const header = headers.cookie;
    const value = header === undefined ? undefined : server.parseCookie(header)[LOGIN_COOKIE];
    const [, expires, signature] = /^(\d{1,16})\.([\w-]{43})$/.exec(value ?? '') ?? [];
    if (expires === undefined || signature === undefined) return false;
    return makeSecretMatcher(sign(expires))(signature) && Number(expires) > clock.now();
  }

  function checkToken(token: string, address: string): 'logged-in' | LoginRefusal {
    if (attempts.isBlocked(address)) return 'too_many_attempts';
    if (isAdminToken(token)) return 'logged-in';
    attempts.failed(address);
    return 'wrong_token';
  }

  function checkCode(code: string, address: string): 'logged-in' | LoginRefusal {
    if (attempts.isBlocked(address)) return 'too_many_attempts';
    if (codes.redeem(code)) return 'logged-in';
    attempts.failed(address);
    return 'wrong_code';
  }

  const login: Login = {
    check(request) {
      if (hasCookie(request)) return 'logged-in';
      const token = bearerIn(request);
      if (token === null) return 'login_required';
      return PROJECT_TOKEN.test(token) ? 'wrong_token' : checkToken(token, request.ip);
    },

    isStillIn(request) {
      const token = bearerIn(request);
      return hasCookie(request) || (token !== null && isAdminToken(token));
    },

    async require(request, reply) {
      const result = login.check(request);
      return result === 'logged-in' ? undefined : refuseLogin(reply, result);
    },

    exchange({ ip, server }, proof) {
      const result = 'token' in proof ? checkToken(proof.token, ip) : checkCode(proof.code, ip);
      if (result !== 'logged-in') return result;
      const expiresAt = clock.now() + COOKIE_MS;
      const value = `${expiresAt}.${sign(String(expiresAt))}`;
      const setCookie = server.serializeCookie(LOGIN_COOKIE, value, {
        path: '/',
        httpOnly: true,
        sameSite: 'strict',
        secure: deps.publicUrl?.startsWith('https:') ?? false,
        maxAge: COOKIE_MS / 1_000,
      });
      return { setCookie, expiresAt };
    },

    codes,
  };
  return login;
}

/** The token that a request carries; null without one. */
export function bearerIn({ headers }: Pick<FastifyRequest, 'headers'>): string | null {
  const [, token = null] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  return token;
}

export function refuseLogin(reply: FastifyReply, code: LoginRefusal): FastifyReply {
  if (code === 'too_many_attempts') reply.header('Retry-After', '60');
  else reply.header('WWW-Authenticate', 'Bearer');
  return sendProblem(reply, code);
}

/** Only hashes are kept; beyond the bound the oldest code dies. */
function makeCodes(clock: Clock): LoginCodes & { redeem(code: string): boolean } {
  const expiries = new Map<string, Instant>();
  return {
    issue() {
      const code = randomBytes(24).toString('base64url');
      for (const [key, expiresAt] of expiries)
        if (expiresAt <= clock.now() || expiries.size >= MOST_CODES) expiries.delete(key);
      expiries.set(hash('sha256', code), clock.now() + CODE_MS);
      return code;
    },
    redeem(code) {
      const key = hash('sha256', code);
      const expiresAt = expiries.get(key);
      expiries.delete(key);
      return expiresAt !== undefined && expiresAt > clock.now();
    },
  };
}
