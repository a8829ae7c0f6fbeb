/** Updates under way, each followed by its own stream of events. */
import { make } from './elements.js';
import { call } from './server.js';

const TERMINAL = ['update.completed', 'update.failed', 'update.cancelled'];
const TYPES = [
  'update.queued',
  'update.waiting',
  'update.started',
  'update.retrying',
  'update.degraded',
  'resume.decided',
  'resume.fell_back',
  'step.started',
  'step.finished',
  'agent.message',
  'agent.tool',
  'verify.finished',
  'version.created',
  'recommendations.ready',
  'documentation.ready',
  'session.compacted',
  ...TERMINAL,
];
/** Streams that the page keeps open at once: a browser has few connections to one server. */
const MOST_STREAMS = 2;

export function makeProgress({ list, onEnded }) {
  /** Update → its card, and its stream once it is followed. */
  const cards = new Map();

  function drop(id) {
    cards.get(id)?.source?.close();
    cards.get(id)?.item.remove();
    cards.delete(id);
  }

  /** The first ones are those that run; the others wait for them. */
  function followFirst() {
    for (const [id, card] of [...cards].slice(0, MOST_STREAMS))
      card.source ??= follow(id, card, () => {
        drop(id);
        onEnded();
      });
  }

  return {
    clear() {
      for (const id of [...cards.keys()]) drop(id);
    },

    /** `updates`: those that have not ended, oldest first. */
    show(updates) {
      const ids = new Set(updates.map(({ id }) => id));
      for (const id of [...cards.keys()]) if (!ids.has(id)) drop(id);
      for (const update of updates) {
        if (cards.has(update.id)) continue;
        const card = makeCard(update);
        cards.set(update.id, card);
        list.append(card.item);
      }
      followFirst();
    },
  };
}

function makeCard(update) {
  const note = make('p', { class: 'note', text: 'waits for its turn' });
  const bar = make('progress', { max: '1', value: String(update.progress), 'aria-label': 'Progress' });
  const steps = make('ol', { class: 'steps' });
  const cancel = make('button', { type: 'button', class: 'quiet', text: 'Cancel' });
  cancel.addEventListener('click', () => call('POST', `${update.links.self}/cancel`));
  const title = make('p', {
    class: 'title',
    text: update.prompt ?? `${update.kind} ${update.restore_version ?? ''}`,
  });
  const head = make(
    'div',
    { class: 'update-head' },
    make('b', { text: `Update ${update.id}` }),
    title,
    cancel,
  );
  return {
    item: make('article', { class: 'card update' }, head, bar, steps, note),
    note,
    bar,
    steps,
    source: null,
  };
}

function follow(id, card, whenEnded) {
  const source = new EventSource(`/v1/updates/${id}/events`);
  for (const type of TYPES)
    source.addEventListener(type, ({ data }) => {
      tell(card, JSON.parse(data));
      if (!TERMINAL.includes(type)) return;
      source.close();
      whenEnded();
    });
  return source;
}

function tell({ bar, note, steps }, { type, progress, payload }) {
  bar.value = progress;
  if (type === 'step.started') {
    steps.append(make('li', { 'data-step': payload.step, 'data-state': 'running', text: payload.step }));
    note.textContent = '';
  } else if (type === 'step.finished') {
    const step = [...steps.children].findLast((one) => one.dataset.step === payload.step);
    if (step) step.dataset.state = payload.state ?? 'succeeded';
  } else if (type === 'update.retrying' || type === 'update.waiting') {
    steps.replaceChildren();
    note.textContent = type === 'update.waiting' ? 'waits for the model endpoint' : 'tries again soon';
  } else note.textContent = wordsFor(type, payload) ?? note.textContent;
}

function wordsFor(type, payload) {
  if (type === 'agent.tool') return `uses ${payload.name}`;
  if (type === 'agent.message') return payload.text?.trim().split('\n').at(-1);
  if (type === 'resume.decided')
    return payload.decision === 'resume' ? 'resumed' : `fresh: ${payload.reason.replaceAll('_', ' ')}`;
  if (type === 'verify.finished') return payload.ok === false ? 'the checks failed' : 'the checks passed';
  return null;
}
