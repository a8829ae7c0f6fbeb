import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Fixture, handleMessages, Journal, Logger } from '@copilotkit/aimock';
import { type Clock, systemClock } from '../../base/clock.ts';
import { unreachable } from '../../base/errors.ts';
import type { ModelEndpoint } from '../agent.ts';
import { answerTo, estimateTokens, MessagesRequest, type OfflineAnswer } from './answer.ts';
import { listenOnLoopback, parseJson, readBody, sendError, sendJson } from './http.ts';

/**
 * The offline model: a Messages API on loopback that answers plainly, so that everything works without a key. The
 * streaming protocol is aimock's; what is said comes from `answer.ts`; delays and breakages are here.
 */
export type OfflineModel = {
  readonly baseUrl: string;
  /** What an agent needs to talk to it. */
  readonly endpoint: ModelEndpoint;
  /** Parsed bodies of the latest message requests, oldest first; as many as `recordRequests`. */
  requests(): readonly MessagesRequest[];
  /** The next `times` message requests break so, before any that were asked to break later. */
  breakNext(breakage: Breakage, times?: number): void;
  /** Forgets breakages not yet used. */
  mend(): void;
  /** From now on. */
  setSpeed(speed: Speed): void;
  /** Answers instead of the plain rules wherever it does not return null; `setScript(null)` takes it away. */
  setScript(script: Script | null): void;
  /** Ends open connections too. */
  close(): Promise<void>;
};

export type Speed = {
  /** Wait before the first token of an answer. */
  readonly ttftMs: number;
  /** Null: as fast as it goes. */
  readonly tokensPerSecond: number | null;
};

export type Breakage =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  /** The connection ends without an answer. */
  | { readonly kind: 'drop' }
  /** The connection ends in the middle of an answer. */
  | { readonly kind: 'drop-midway' }
  /** The request is taken and never answered. */
  | { readonly kind: 'silent' };

export type Script = (request: MessagesRequest) => OfflineAnswer | null;

export type OfflineModelOptions = {
  readonly clock?: Clock;
  readonly speed?: Speed;
  /** How many request bodies are kept; none by default, since they hold what people wrote. */
  readonly recordRequests?: number;
};

const AT_ONCE: Speed = { ttftMs: 0, tokensPerSecond: null };
const MOST_BREAKAGES = 1_000;
/** Characters in one streamed piece; about four make a token. */
const PIECE_CHARACTERS = 20;

/** Listens on a free loopback port. Rejects when none can be had. */
export async function startOfflineModel(options: OfflineModelOptions = {}): Promise<OfflineModel> {
  const clock = options.clock ?? systemClock;
  const keep = options.recordRequests ?? 0;
  const recorded: MessagesRequest[] = [];
  let breakages: Breakage[] = [];
  let speed = options.speed ?? AT_ONCE;
  let script: Script | null = null;

  async function answerMessages(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const raw = await readBody(req);
    const parsed = MessagesRequest.safeParse(parseJson(raw));
    if (!parsed.success) return sendError(res, 400);
    const request = parsed.data;
    recorded.push(request);
    if (recorded.length > keep) recorded.shift();

    const breakage = breakages.shift();
    if (breakage !== undefined && breakage.kind !== 'drop-midway') return breakOff(res, breakage);
    const answer = script?.(request) ?? answerTo(request);
    await clock.sleep(speed.ttftMs + (answer.kind === 'text' ? answer.delayMs : 0), untilGone(res));
    if (res.destroyed) return;
    await speakProtocol(req, res, raw, toFixture(request, answer, speed, breakage !== undefined));
  }

  const server = createServer((req, res) => {
    // A caller that hangs up while it is answered is everyday life here, and nobody else waits for the outcome.
    route(req, res, answerMessages).catch(() => res.destroy());
  });
  const baseUrl = await listenOnLoopback(server);

  return {
    baseUrl,
    endpoint: toEndpoint(baseUrl),
    requests: () => [...recorded],
    breakNext(breakage, times = 1) {
      for (let count = 0; count < times && breakages.length < MOST_BREAKAGES; count++)
        breakages.push(breakage);
    },
    mend() {
      breakages = [];
    },
    setSpeed(next) {
      speed = next;
    },
    setScript(next) {
      script = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

async function route(req: IncomingMessage, res: ServerResponse, answerMessages: Handler): Promise<void> {
  const path = new URL(req.url ?? '/', 'http://offline').pathname;
  switch (`${req.method} ${path}`) {
    case 'POST /v1/messages':
      await answerMessages(req, res);
      break;
    case 'POST /v1/messages/count_tokens':
      sendJson(res, 200, { input_tokens: estimateTokens(await readBody(req)) });
      break;
    case 'GET /v1/models':
      sendJson(res, 200, { data: [], has_more: false });
      break;
    default:
      if (req.method === 'HEAD') res.writeHead(200).end();
      else sendError(res, 404);
  }
}

function breakOff(res: ServerResponse, breakage: Exclude<Breakage, { kind: 'drop-midway' }>): void {
  switch (breakage.kind) {
    case 'silent':
      break;
    case 'drop':
      res.destroy();
      break;
    case 'status':
      sendError(res, breakage.status, breakage.retryAfterSeconds);
      break;
    default:
      unreachable(breakage);
  }
}

/** Aborts when the caller has hung up. */
function untilGone(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  res.once('close', () => {
    gone.abort();
    // aimock goes on writing to a caller who hung up; an ended response stops it at its next piece.
    res.end();
  });
  return gone.signal;
}

function toEndpoint(baseUrl: string): ModelEndpoint {
  const direct = '127.0.0.1';
  // Loopback is reached directly whatever proxy the machine is told to use.
  const env = {
    ANTHROPIC_BASE_URL: baseUrl,
    ANTHROPIC_API_KEY: 'offline',
    NO_PROXY: direct,
    no_proxy: direct,
  };
  return { name: 'offline', env };
}

function toFixture(
  request: MessagesRequest,
  answer: OfflineAnswer,
  speed: Speed,
  cutShort: boolean,
): Fixture {
  const output = answer.kind === 'text' ? answer.text : answer;
  const usage = { input_tokens: estimateTokens(request), output_tokens: estimateTokens(output) };
  const piecesPerSecond =
    speed.tokensPerSecond === null ? null : speed.tokensPerSecond / (PIECE_CHARACTERS / 4);
  return {
    match: {},
    response:
      answer.kind === 'text'
        ? { content: answer.text, usage }
        : {
            content: answer.narration,
            toolCalls: [{ name: answer.name, arguments: JSON.stringify(answer.input) }],
            usage,
          },
    ...(piecesPerSecond === null ? {} : { streamingProfile: { tps: piecesPerSecond } }),
    ...(cutShort ? { truncateAfterChunks: 3 } : {}),
  };
}

/** aimock keeps a journal of what it served; one for each request keeps nothing. */
function speakProtocol(
  req: IncomingMessage,
  res: ServerResponse,
  raw: string,
  fixture: Fixture,
): Promise<void> {
  const defaults = { latency: 0, chunkSize: PIECE_CHARACTERS, replaySpeed: 1, logger: new Logger('silent') };
  return handleMessages(req, res, raw, [fixture], new Journal({ maxEntries: 1 }), defaults, () => {});
}
