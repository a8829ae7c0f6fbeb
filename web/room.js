/** The messages of one room, each answer with the picture of its turn. */
import { make, safeFragment } from './elements.js';
import { clockTime, turnPicture } from './turn.js';

/** Messages kept in the page, and turns that wait for theirs; older ones are on the server. */
const MOST_KEPT = 500;
/** A bot's message so long after a turn's end is its answer; later ones, and remarks while it runs, are not. */
const ANSWER_WITHIN_MS = 30_000;

/** Shows messages in `list`, which is one of the things that `scroll` moves. */
export function makeRoomView({ list, scroll }) {
  /** Message id → its element, and whether its turn is known. */
  const shown = new Map();
  /** Turns that have ended and whose answer has not come yet, and the keys of all that have ended. */
  const waiting = new Map();
  const known = new Set();

  return {
    /** The highest id that is shown; null when there is none. */
    newestId: () => [...shown.keys()].at(-1) ?? null,

    clear() {
      for (const kept of [shown, waiting, known]) kept.clear();
      list.replaceChildren();
    },

    /** Adds those that are not shown yet; they come in the order of their ids. */
    addMessages(messages) {
      for (const message of messages) {
        if (shown.has(message.id)) continue;
        const item = messageItem(message);
        shown.set(message.id, { item, message, hasTurn: false });
        list.append(item);
        joinTurn(shown.get(message.id));
      }
      for (const [id, { item }] of [...shown].slice(0, Math.max(0, shown.size - MOST_KEPT))) {
        item.remove();
        shown.delete(id);
      }
    },

    /** Turns that have ended, oldest first; one that was added before is left out. True when the last one's answer is shown. */
    addTurns(turns) {
      for (const turn of turns) {
        const key = `${turn.conversation} ${turn.ended_at}`;
        if (!known.has(key)) waiting.set(key, turn);
        known.add(key);
        if (waiting.size > MOST_KEPT) waiting.delete(waiting.keys().next().value);
        for (const entry of shown.values()) joinTurn(entry);
      }
      return ![...waiting.values()].includes(turns.at(-1));
    },

    /** Whoever reads the newest goes on doing so through a change; whoever scrolled back is left there. */
    keepAtEnd(change) {
      const isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
      change();
      if (isAtEnd) scroll.scrollTop = scroll.scrollHeight;
    },
  };

  function joinTurn(entry) {
    if (entry.hasTurn || !entry.message.author.is_bot) return;
    const key = findTurn(entry.message, waiting);
    if (key === undefined) return;
    entry.item.append(turnPicture(waiting.get(key)));
    entry.hasTurn = true;
    waiting.delete(key);
  }
}

/** Answers come in the order of their turns, so a message's turn is its bot's oldest one that still has none; its key. */
function findTurn(message, waiting) {
  const possible = [...waiting].filter(([, { bot_id, ended_at }]) => {
    const afterMs = Date.parse(message.created_at) - Date.parse(ended_at);
    return bot_id === message.author.id && afterMs >= 0 && afterMs <= ANSWER_WITHIN_MS;
  });
  const [key] = possible.find(([, { outcome }]) => outcome === 'answered') ?? possible[0] ?? [];
  return key;
}

function messageItem({ id, author, html, created_at }) {
  const written = new Date(created_at);
  const time = make('time', {
    datetime: created_at,
    title: written.toLocaleString(),
    text: clockTime(written),
  });
  return make(
    'li',
    { class: author.is_bot ? 'message bot' : 'message person', 'data-id': String(id) },
    make('p', { class: 'author' }, author.name, time),
    make('div', { class: 'text' }, safeFragment(html)),
  );
}
