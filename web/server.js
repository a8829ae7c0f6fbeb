/** The server's routes, as the page uses them. Every call resolves with `{ ok: true, body }` or says what was wrong. */

/** `status` 0: the server could not be reached. `code` is that of the problem details. */
export async function call(method, path, body, headers = {}) {
  try {
    const response = await fetch(path, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return { ok: true, body: answer };
    return {
      ok: false,
      status: response.status,
      code: answer.code ?? 'unknown',
      message: answer.detail || answer.title || `The server answered ${response.status}.`,
    };
  } catch {
    return { ok: false, status: 0, code: 'unreachable', message: 'The server cannot be reached.' };
  }
}

const EVENTS = [
  'turn.started',
  'text.delta',
  'tool.started',
  'tool.finished',
  'turn.finished',
  'turn.failed',
  'room.message',
];
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 15_000;

/**
 * Follows the server's events, for as long as the page lives. `onState` hears `live` when it listens and `away` when it
 * does not; `onEvent` gets each event's type and body. `isWelcome` is asked before every new attempt: false ends it.
 */
export function follow({ onEvent, onState, isWelcome }) {
  let delayMs = FIRST_RETRY_MS;
  listen();

  function listen() {
    const source = new EventSource('/api/events');
    source.onopen = () => {
      delayMs = FIRST_RETRY_MS;
      onState('live');
    };
    source.onerror = () => {
      source.close();
      onState('away');
      setTimeout(async () => {
        if (await isWelcome()) listen();
      }, delayMs);
      delayMs = Math.min(delayMs * 2, LONGEST_RETRY_MS);
    };
    for (const type of EVENTS) {
      source.addEventListener(type, (event) => onEvent(type, JSON.parse(event.data)));
    }
  }
}
