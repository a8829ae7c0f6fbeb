/** How commands speak to the running server over HTTP. */
import { systemClock, within } from '../base/clock.ts';
import { toError } from '../base/errors.ts';
import { CommandFailed } from './command.ts';

/** One of the server's routes. */
export type Question = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** How long the answer may take; a minute when not given. */
  readonly limitMs?: number;
};
export type Answer = { readonly status: number; readonly body: unknown };
export type Ask = (question: Question) => Promise<Answer>;

/** A server-sent event; `id` is what the stream goes on after. */
export type ServerEvent = { readonly id: string; readonly type: string; readonly body: unknown };

export type ServerClient = {
  readonly ask: Ask;
  /**
   * The events of a stream after `lastId`, until the server ends it. Throws `ConnectionLost` when it breaks off, and
   * `CommandFailed` when the server refuses.
   */
  listen(path: string, lastId: string | null): AsyncGenerator<ServerEvent, undefined>;
};

/** A reset waits for a process to end. */
const ANSWER_LIMIT_MS = 60_000;
/** The server is heard from every 15 seconds. */
const SILENCE_LIMIT_MS = 45_000;
/** No event is that large. */
const MOST_UNPARSED = 4 * 1024 * 1024;

export class ConnectionLost extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'ConnectionLost';
  }
}

export function makeServerClient(address: string, token: string): ServerClient {
  const base = toReachable(address);
  const authorization = `Bearer ${token}`;

  const ask: Ask = async ({ method, path, headers, body, limitMs = ANSWER_LIMIT_MS }) => {
    const abort = new AbortController();
    const answering = fetch(base + path, {
      method,
      headers: {
        authorization,
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: abort.signal,
    }).then(async (response) => ({ status: response.status, body: await readJson(response) }));
    try {
      const answer = await within(systemClock, limitMs, answering);
      if (answer === 'timed-out') throw new Error(`no answer in ${limitMs / 1_000} s`);
      return answer;
    } catch (error) {
      throw new CommandFailed('unreachable', `the server at ${address} cannot be asked: ${reasonOf(error)}`);
    } finally {
      abort.abort();
    }
  };

  async function* listen(path: string, lastId: string | null): AsyncGenerator<ServerEvent, undefined> {
    const abort = new AbortController();
    try {
      const headers = {
        authorization,
        accept: 'text/event-stream',
        ...(lastId === null ? {} : { 'last-event-id': lastId }),
      };
      const response = await orLost(fetch(base + path, { headers, redirect: 'error', signal: abort.signal }));
      if (response.status >= 400) throw toFailure(response.status, await readJson(response));
      if (response.body !== null) yield* parseEvents(readChunks(response.body));
    } finally {
      abort.abort();
    }
    return undefined;
  }

  return { ask, listen };
}

/** The answer's body, or `CommandFailed` with what the problem details say. */
export async function askOrFail(ask: Ask, question: Question): Promise<unknown> {
  const { status, body } = await ask(question);
  if (status < 400) return body;
  throw toFailure(status, body);
}

function toFailure(status: number, body: unknown): CommandFailed {
  const { code, detail } = toProblem(body);
  return new CommandFailed(code ?? 'refused', detail ?? `the server answered ${status}`);
}

function toProblem(body: unknown): { readonly code?: string; readonly detail?: string } {
  if (typeof body !== 'object' || body === null) return {};
  const { code, detail } = body as Readonly<Record<string, unknown>>;
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof detail === 'string' ? { detail } : {}),
  };
}

async function* readChunks(body: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  while (true) {
    const read = await within(systemClock, SILENCE_LIMIT_MS, orLost(reader.read()));
    if (read === 'timed-out') throw new ConnectionLost(`not a word in ${SILENCE_LIMIT_MS / 1_000} s`);
    if (read.done) return undefined;
    yield read.value;
  }
}

/** Of `text/event-stream`: events end with an empty line; comments and fields that nobody needs are left out. */
async function* parseEvents(chunks: AsyncIterable<string>): AsyncGenerator<ServerEvent, undefined> {
  let unparsed = '';
  for await (const chunk of chunks) {
    const blocks = (unparsed + chunk).split('\n\n');
    unparsed = blocks.pop() ?? '';
    if (unparsed.length > MOST_UNPARSED) throw new ConnectionLost('an event without an end');
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event !== null) yield event;
    }
  }
  return undefined;
}

function parseEvent(block: string): ServerEvent | null {
  const fields = new Map(
    block.split('\n').flatMap((line) => {
      const [, name, value] = /^(id|event|data): ?(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
  const json = fields.get('data');
  if (json === undefined) return null;
  return { id: fields.get('id') ?? '', type: fields.get('event') ?? 'message', body: JSON.parse(json) };
}

async function readJson(response: Response): Promise<unknown> {
  return response.json().catch(() => null);
}

/** Whatever the network said, as one kind of error. */
async function orLost<Value>(promise: Promise<Value>): Promise<Value> {
  try {
    return await promise;
  } catch (error) {
    throw new ConnectionLost(reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = toError(error);
  return cause instanceof Error ? cause.message : message;
}

/** A server that listens on every address is reached on this machine's own. */
function toReachable(address: string): string {
  return address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}
