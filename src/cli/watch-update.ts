import { systemClock } from '../base/clock.ts';
import { PROGRESS, type StepKind } from '../projects/projects.ts';
import { type CliDeps, CommandFailed, type ExitCode } from './command.ts';
import { askOrFail, ConnectionLost, type ServerClient } from './server-client.ts';
import {
  drawView,
  EMPTY_VIEW,
  type StepCosts,
  seeEvent,
  toPlainLine,
  type UpdateEvent,
} from './update-view.ts';

/** An update as the server tells it, as far as it is shown. */
export type Update = {
  readonly id: number;
  readonly project_id: string;
  readonly kind: string;
  readonly status: string;
  readonly result_version: number | null;
  readonly degraded: readonly string[];
  readonly error: { readonly code: string; readonly title: string; readonly retryable: boolean } | null;
  readonly resume: { readonly decision: string | null; readonly reason: string | null };
  readonly cost: { readonly total_usd: number; readonly complete: boolean };
};
type Run = {
  readonly purpose: string;
  readonly cost: { readonly total_usd: number; readonly complete: boolean };
};

const REDRAW_MS = 250;
/** Some terminals do not say. */
const UNKNOWN_COLUMNS = 80;
/** A server that restarts is back within this. */
const MOST_FAILURES = 30;
const RECONNECT_MS = 2_000;

/** Shows an update until it has ended; resolves with what became of it. */
export async function watchUpdate(
  server: ServerClient,
  id: number,
  deps: CliDeps,
  json: boolean,
): Promise<Update> {
  const screen = json ? NO_SCREEN : deps.terminal == null ? makePlain(deps) : makeLive(deps.terminal, id);
  try {
    for await (const event of follow(server, id)) {
      const costs = isWorthAsking(event) ? await readCosts(server, id) : null;
      screen.show(event, costs);
    }
  } finally {
    screen.close();
  }
  return readUpdate(server, id);
}

export async function readUpdate({ ask }: ServerClient, id: number): Promise<Update> {
  // The routes' own schemas are checked where they are made.
  return (await askOrFail(ask, { method: 'GET', path: `/v1/updates/${id}` })) as Update;
}

/** What became of it, for people, and the exit code. */
export function tellEnd(update: Update, deps: CliDeps, json: boolean): ExitCode {
  const isDone = update.status === 'completed';
  if (json) deps.out(JSON.stringify({ ok: isDone, update }));
  else if (isDone) deps.out(toEndLine(update));
  else deps.err(toEndLine(update));
  return isDone ? 0 : 1;
}

function toEndLine({ id, status, error, result_version: version, degraded, cost }: Update): string {
  const what = version === null ? 'nothing was changed' : `version ${version}`;
  const but = degraded.length === 0 ? '' : `, degraded: ${degraded.join(', ')}`;
  const price = `$${cost.total_usd.toFixed(4)}${cost.complete ? '' : ' or more'}`;
  if (status === 'completed') return `Update ${id} is completed: ${what}, ${price}${but}.`;
  const why = error === null ? '' : ` ${error.title} (${error.code})`;
  return `Update ${id} is ${status}, ${price}.${why}`;
}

/** Every event once, also over a server that restarts. */
async function* follow(server: ServerClient, id: number): AsyncGenerator<UpdateEvent, undefined> {
  let last: string | null = null;
  for (let failures = 0; failures < MOST_FAILURES; failures++) {
    try {
      for await (const { id: seq, body } of server.listen(`/v1/updates/${id}/events`, last)) {
        last = seq;
        failures = 0;
        yield body as UpdateEvent; // As above.
      }
      // The stream ends with the update, or with a server that stops.
      if (hasEnded(await readUpdate(server, id))) return undefined;
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    await systemClock.sleep(RECONNECT_MS);
  }
  throw new CommandFailed('unreachable', `the server tells nothing of update ${id} any more`);
}

function isPassing(error: unknown): boolean {
  return error instanceof ConnectionLost || (error instanceof CommandFailed && error.code === 'unreachable');
}

function hasEnded({ status }: Update): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

function isWorthAsking({ type }: UpdateEvent): boolean {
  return type === 'step.finished' || type === 'update.completed' || type === 'update.failed';
}

/** Null: they could not be asked for now, which is no reason to stop watching. */
async function readCosts(server: ServerClient, id: number): Promise<StepCosts | null> {
  const { status, body } = await server
    .ask({ method: 'GET', path: `/v1/updates/${id}/runs` })
    .catch(() => NO_ANSWER);
  if (status !== 200) return null;
  const { runs } = body as { readonly runs: readonly Run[] };
  const costs: Partial<Record<StepKind, number | null>> = {};
  for (const { purpose, cost } of runs) {
    const step = purpose as StepKind;
    if (!(step in PROGRESS)) continue;
    const sum = costs[step] === undefined ? 0 : costs[step];
    costs[step] = sum === null || !cost.complete ? null : sum + cost.total_usd;
  }
  return costs;
}
const NO_ANSWER = { status: 503, body: null };

type Screen = { show(event: UpdateEvent, costs: StepCosts | null): void; close(): void };

const NO_SCREEN: Screen = { show() {}, close() {} };

function makePlain(deps: CliDeps): Screen {
  return {
    show(event) {
      const line = toPlainLine(event);
      if (line !== null) deps.out(line);
    },
    close() {},
  };
}

/** Draws over what it drew before. */
function makeLive(terminal: NonNullable<CliDeps['terminal']>, id: number): Screen {
  let view = EMPTY_VIEW;
  let costs: StepCosts = {};
  let drawn = 0;

  function draw(): void {
    const lines = drawView(view, costs, systemClock.now(), `Update ${id}`);
    const room = Math.max(20, terminal.columns || UNKNOWN_COLUMNS) - 1;
    const up = drawn === 0 ? '' : `\u001b[${drawn}A`;
    terminal.write(`${up}\u001b[0J${lines.map((line) => `${[...line].slice(0, room).join('')}\n`).join('')}`);
    drawn = lines.length;
  }
  const stop = systemClock.every(REDRAW_MS, draw);
  return {
    show(event, known) {
      view = seeEvent(view, event);
      costs = known ?? costs;
      draw();
    },
    close() {
      stop();
      draw();
    },
  };
}
