/** The picture of a turn: what it started from, and how long its parts took. */
import { make } from './elements.js';

const TIERS = {
  hot: 'hot: the process that served it before',
  warm: 'warm: a stored transcript, resumed',
  cold: 'cold: a new session',
};

/** The badge alone, for a turn that still runs. */
export function tierBadge({ tier, start }) {
  return make(
    'span',
    { class: 'badge', 'data-tier': tier, title: TIERS[tier] ?? tier },
    `${tier} · ${start}`,
  );
}

/** Under an answer: badge, reason, bar and every number. */
export function turnPicture(turn) {
  const parts = partsOf(turn);
  return make(
    'figure',
    { class: 'turn' },
    make(
      'figcaption',
      {},
      tierBadge(turn),
      make('span', { class: 'reason', text: turn.reason }),
      make('span', { class: 'total', text: duration(total(parts)) }),
    ),
    bar(parts),
    make(
      'p',
      { class: 'legend' },
      ...parts.map(({ part, label, ms }) =>
        make('span', { 'data-part': part }, `${label} `, make('b', { text: duration(ms) })),
      ),
    ),
  );
}

/** A line of the list of recent turns. */
export function turnRow(turn, botName) {
  const parts = partsOf(turn);
  const { room, bot } = whereabouts(turn.conversation);
  const ended = new Date(turn.ended_at);
  const time = make('time', {
    datetime: turn.ended_at,
    title: ended.toLocaleString(),
    text: clockTime(ended),
  });
  return make(
    'li',
    { class: 'turn-row' },
    make(
      'div',
      { class: 'turn-head' },
      tierBadge(turn),
      turn.outcome === 'answered' ? null : make('span', { class: 'outcome', text: words(turn.outcome) }),
      make('span', { class: 'total', text: duration(total(parts)) }),
    ),
    bar(parts),
    make('div', { class: 'turn-foot' }, make('span', { text: `${botName(bot)} in ${room}` }), time),
  );
}

/** The room, bot and (with a session for each user) user of a conversation's key. */
export function whereabouts(conversation) {
  const parts = conversation.split(':');
  const chat = parts[0] === 'campfire' ? parts.splice(0, 2).join(':') : parts.splice(0, 1)[0];
  const [room = '', bot = '', user = null] = parts.map(decodeURIComponent);
  return { chat, room, bot, user };
}

export function clockTime(date) {
  return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** An outcome's name, to be read. */
export function words(outcome) {
  return outcome.replaceAll(/[-_]/g, ' ');
}

function partsOf(turn) {
  const firstText = turn.first_text_ms ?? turn.answered_ms;
  return [
    { part: 'waited', label: 'waited', ms: turn.waited_ms },
    { part: 'opened', label: 'opened', ms: turn.opened_ms },
    { part: 'first-text', label: turn.first_text_ms === null ? 'no text in' : 'first text', ms: firstText },
    { part: 'rest', label: 'rest', ms: Math.max(0, turn.answered_ms - firstText) },
  ];
}

function total(parts) {
  return parts.reduce((sum, { ms }) => sum + ms, 0);
}

function bar(parts) {
  const label = parts.map(({ label, ms }) => `${label} ${duration(ms)}`).join(', ');
  const element = make('div', { class: 'bar', role: 'img', 'aria-label': label, title: label });
  for (const { part, ms } of parts) {
    if (ms <= 0) continue;
    const segment = make('span', { 'data-part': part });
    segment.style.flexGrow = String(ms);
    element.append(segment);
  }
  return element;
}

function duration(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}
