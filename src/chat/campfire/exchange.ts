/** One request to Campfire and what came of it. Its address holds a bot's key, so no error of undici's leaves this file. */
import { Agent, type Dispatcher } from 'undici';
import type { Clock } from '../../base/clock.ts';

/** `location`, `retryAfter`: those headers, null when absent; `contentType` is `''` then. `body` is cut at the limit. */
export type Answer = {
  readonly kind: 'answer';
  readonly status: number;
  readonly contentType: string;
  readonly location: string | null;
  readonly retryAfter: string | null;
  readonly body: string;
  /** False when the body was cut: at the limit, or because the connection ended before it did. */
  readonly whole: boolean;
};

/** `code` names the kind of failure and nothing else. `delivered: 'no'` is certain: there was no connection to send on. */
export type NoAnswer = {
  readonly kind: 'no-answer';
  readonly code: string;
  readonly delivered: 'no' | 'maybe';
};

export type Exchange = {
  /** Never rejects. `limitMs` is for all of it, from connecting to the last byte. Redirects are answers. */
  send(request: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly html?: string;
    readonly limitMs: number;
  }): Promise<Answer | NoAnswer>;
  close(): Promise<void>;
};

/** A page of forty messages of 100,000 characters each, as JSON. */
const MOST_BODY_BYTES = 32_000_000;
const CONNECT_LIMIT_MS = 5_000;
/** Above the sender's lanes at once, so that a read never waits behind posts. */
const MOST_CONNECTIONS = 32;

const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** Certificates are checked before anything is sent. */
const TLS_REFUSAL = /^(?:CERT_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/;

export function makeExchange(deps: { readonly baseUrl: string; readonly clock: Clock }): Exchange {
  const base = new URL(deps.baseUrl);
  const prefix = base.pathname.replace(/\/+$/, '');
  // The limit of each request is kept by the clock below; HTTP/2 would repeat a refused stream by itself.
  const agent = new Agent({
    connect: { timeout: CONNECT_LIMIT_MS },
    connections: MOST_CONNECTIONS,
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    async send({ method, path, html, limitMs }) {
      const limit = new AbortController();
      const cancel = deps.clock.after(limitMs, () => limit.abort());
      try {
        const response = await agent.request({
          origin: base.origin,
          path: prefix + path,
          method,
          headers: {
            'user-agent': 'Firekeeper',
            ...(html === undefined ? {} : { 'content-type': 'text/plain; charset=utf-8' }),
          },
          body: html ?? null,
          signal: limit.signal,
        });
        return await toAnswer(response);
      } catch (error) {
        return toNoAnswer(error, limit.signal.aborted);
      } finally {
        cancel();
      }
    },

    close: () => agent.destroy(),
  };
}

async function toAnswer({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Answer> {
  const header = (name: string): string | null => {
    const value = headers[name];
    return Array.isArray(value) ? (value[0] ?? null) : (value ?? null);
  };
  return {
    kind: 'answer',
    status: statusCode,
    contentType: (header('content-type') ?? '').toLowerCase(),
    location: header('location'),
    retryAfter: header('retry-after'),
    ...(await readBody(body)),
  };
}

/** The status has been given: an answer stays one even when its body breaks off. */
async function readBody(body: AsyncIterable<Buffer>): Promise<Pick<Answer, 'body' | 'whole'>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let whole = true;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > MOST_BODY_BYTES) {
        whole = false;
        break;
      }
      chunks.push(chunk);
    }
  } catch {
    whole = false;
  }
  return { body: Buffer.concat(chunks).toString('utf8'), whole };
}

function toNoAnswer(error: unknown, isLate: boolean): NoAnswer {
  const code = codeOf(error);
  const delivered = NEVER_CONNECTED.has(code) || TLS_REFUSAL.test(code) ? 'no' : 'maybe';
  return { kind: 'no-answer', code: isLate ? 'timeout' : code, delivered: isLate ? 'maybe' : delivered };
}

/** The code of a network error, its own or its cause's; messages may quote the address and are left behind. */
function codeOf(error: unknown): string {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 3; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string' && /^[A-Z0-9_]{1,60}$/.test(at.code)) return at.code;
  }
  return 'error';
}
