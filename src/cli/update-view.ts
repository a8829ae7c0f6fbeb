/** How a running update looks in a terminal: pure, from its events to lines. */
import { PROGRESS, type StepKind } from '../projects/projects.ts';
import { toShown } from './present.ts';

/** An event of an update as the server tells it, as far as it is shown. */
export type UpdateEvent = {
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly progress: number;
  readonly payload: Readonly<Record<string, unknown>>;
};

/** What the agent processes of a step have cost; null: one of them does not say. */
export type StepCosts = Readonly<Partial<Record<StepKind, number | null>>>;

type StepState = 'running' | 'succeeded' | 'failed' | 'interrupted' | 'skipped';
type SeenStep = {
  readonly kind: StepKind;
  readonly state: StepState;
  readonly startedAt: number;
  readonly endedAt: number | null;
};

export type UpdateView = {
  readonly steps: readonly SeenStep[];
  readonly progress: number;
  readonly startedAt: number | null;
  /** What is going on, in a few words. */
  readonly note: string;
  readonly resume: string | null;
  readonly version: number | null;
  readonly ended: 'completed' | 'failed' | 'cancelled' | null;
  readonly endedAt: number | null;
};

export const EMPTY_VIEW: UpdateView = {
  steps: [],
  progress: 0,
  startedAt: null,
  note: 'waits for its turn',
  resume: null,
  version: null,
  ended: null,
  endedAt: null,
};

const BAR = 20;
const MARKS: Readonly<Record<StepState, string>> = {
  running: '▶',
  succeeded: '✓',
  failed: '✗',
  interrupted: '↻',
  skipped: '–',
};
const ENDS: Readonly<Record<string, NonNullable<UpdateView['ended']>>> = {
  'update.completed': 'completed',
  'update.failed': 'failed',
  'update.cancelled': 'cancelled',
};

/** The view after one more event; events come in their order, each once. */
export function seeEvent(view: UpdateView, event: UpdateEvent): UpdateView {
  const at = Date.parse(event.at);
  const progress = Math.max(view.progress, event.progress);
  const seen = { ...view, progress, note: toNote(event) ?? view.note };
  const ended = ENDS[event.type];
  if (ended !== undefined)
    return { ...seen, ended, endedAt: at, steps: endRunning(view.steps, endOf(ended), at) };
  switch (event.type) {
    case 'update.started':
      return { ...seen, startedAt: view.startedAt ?? at };
    case 'update.retrying':
    case 'update.waiting':
      return { ...seen, steps: endRunning(view.steps, 'interrupted', at) };
    case 'resume.decided':
      return { ...seen, resume: toResume(event.payload) };
    case 'resume.fell_back':
      return { ...seen, resume: 'fell back to a fresh session' };
    case 'step.started':
      return { ...seen, startedAt: view.startedAt ?? at, steps: startStep(view.steps, event, at) };
    case 'step.finished':
      return { ...seen, steps: endStep(view.steps, event, at) };
    case 'version.created':
      return { ...seen, version: readNumber(event.payload.version) };
    default:
      return seen;
  }
}

function endOf(ended: NonNullable<UpdateView['ended']>): StepState {
  return ended === 'completed' ? 'succeeded' : ended === 'failed' ? 'failed' : 'interrupted';
}

function startStep(steps: readonly SeenStep[], event: UpdateEvent, at: number): readonly SeenStep[] {
  const kind = readStep(event.payload.step);
  if (kind === null) return steps;
  const others = endRunning(steps, 'succeeded', at).filter((step) => step.kind !== kind);
  return [...others, { kind, state: 'running', startedAt: at, endedAt: null }];
}

function endStep(steps: readonly SeenStep[], { payload }: UpdateEvent, at: number): readonly SeenStep[] {
  const kind = readStep(payload.step);
  const state = readState(payload.state);
  return steps.map((step) =>
    step.kind === kind && step.endedAt === null ? { ...step, state, endedAt: at } : step,
  );
}

function endRunning(steps: readonly SeenStep[], state: StepState, at: number): readonly SeenStep[] {
  return steps.map((step) => (step.endedAt === null ? { ...step, state, endedAt: at } : step));
}

/** One line for the update, then one for each of its steps. */
export function drawView(view: UpdateView, costs: StepCosts, now: number, title: string): string[] {
  const until = view.endedAt ?? now;
  const head = [
    view.ended === null ? '●' : MARKS[endOf(view.ended)],
    toShown(title),
    toBar(view.progress),
    `${Math.round(view.progress * 100)} %`,
    ...(view.startedAt === null ? [] : [toSeconds(until - view.startedAt)]),
    ...toTotal(costs),
    ...(view.resume === null ? [] : [view.resume]),
    ...(view.ended === null ? [] : [toEnd(view)]),
    ...(view.steps.length === 0 && view.ended === null ? [view.note] : []),
  ];
  return [head.join('  '), ...view.steps.map((step) => drawStep(step, view, costs, now))];
}

function drawStep(step: SeenStep, view: UpdateView, costs: StepCosts, now: number): string {
  const cells = [
    `  ${MARKS[step.state]} ${step.kind.padEnd(9)}`,
    toBar(shareOf(step, view.progress)),
    toSeconds((step.endedAt ?? now) - step.startedAt).padStart(8),
    toCost(costs[step.kind]).padStart(9),
    ...(step.state === 'running' ? [toShown(view.note)] : []),
  ];
  return cells.join('  ').trimEnd();
}

const ORDER = Object.entries(PROGRESS).sort(([, one], [, other]) => one - other);

/** How much of a step is done, by the progress of the update. */
function shareOf({ kind, state }: SeenStep, progress: number): number {
  if (state === 'succeeded' || state === 'skipped') return 1;
  const from = PROGRESS[kind];
  const [, to = 1] = ORDER.find(([, share]) => share > from) ?? [];
  return Math.min(1, Math.max(0, (progress - from) / (to - from)));
}

function toBar(share: number): string {
  const full = Math.round(share * BAR);
  return `[${'█'.repeat(full)}${'░'.repeat(BAR - full)}]`;
}

/** One line for each event that is worth one where nothing can be redrawn; null: none. */
export function toPlainLine(event: UpdateEvent): string | null {
  const step = readStep(event.payload.step);
  const note = toNote(event);
  const what =
    step === null
      ? note
      : `${step} ${event.type === 'step.started' ? 'started' : readState(event.payload.state)}`;
  if (what === null || event.type.startsWith('agent.')) return null;
  return `${event.at.slice(11, 19)}  ${`${Math.round(event.progress * 100)}`.padStart(3)} %  ${toShown(what)}`;
}

/** In a few words what an event says; null: nothing that a person would wait for. */
function toNote({ type, payload }: UpdateEvent): string | null {
  switch (type) {
    case 'update.queued':
      return 'waits for its turn';
    case 'update.started':
      return 'started';
    case 'update.waiting':
      return 'waits until the model endpoint takes requests again';
    case 'update.retrying':
      return 'tries again soon';
    case 'update.degraded':
      return `degraded: ${readText(payload.what)}`;
    case 'resume.decided':
      return toResume(payload);
    case 'resume.fell_back':
      return `fell back to a fresh session: ${readText(payload.reason)}`;
    case 'agent.tool':
      return `uses ${readText(payload.name)}`;
    case 'agent.message':
      return lastLine(readText(payload.text));
    case 'verify.finished':
      return payload.ok === false ? 'the checks failed' : 'the checks passed';
    case 'version.created':
      return `version ${readNumber(payload.version) ?? '?'} made`;
    case 'recommendations.ready':
      return 'recommendations written';
    case 'documentation.ready':
      return 'documentation written';
    case 'session.compacted':
      return 'session compacted';
    case 'update.completed':
      return 'completed';
    case 'update.failed':
      return `failed: ${readText(payload.code)}`;
    case 'update.cancelled':
      return 'cancelled';
    default:
      return null;
  }
}

function toEnd({ ended, version, note }: UpdateView): string {
  if (ended === 'completed') return version === null ? 'completed without a change' : `version ${version}`;
  return note;
}

function toResume(payload: UpdateEvent['payload']): string {
  const reason = readText(payload.reason);
  return payload.decision === 'resume' ? 'resumed' : `fresh${reason === '' ? '' : ` (${reason})`}`;
}

function toTotal(costs: StepCosts): string[] {
  const known = Object.values(costs).filter((cost) => cost !== null);
  return known.length === 0 ? [] : [toCost(known.reduce((sum, cost) => sum + cost, 0))];
}

function toCost(cost: number | null | undefined): string {
  return cost === null || cost === undefined ? '' : `$${cost.toFixed(4)}`;
}

function toSeconds(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  return seconds < 100
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
}

function lastLine(text: string): string | null {
  return text.trim().split('\n').at(-1)?.slice(0, 60) || null;
}

function readText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function readNumber(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

function readStep(value: unknown): StepKind | null {
  return ORDER.map(([kind]) => kind as StepKind).find((kind) => kind === value) ?? null;
}

function readState(value: unknown): StepState {
  return value === 'failed' || value === 'interrupted' || value === 'skipped' ? value : 'succeeded';
}
