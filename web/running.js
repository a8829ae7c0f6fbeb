/** The answers that are being given: who answers, from which tier, and the text so far. */
import { make } from './elements.js';
import { tierBadge, whereabouts, words } from './turn.js';

/** Shows them in `list`; `botName` gives the name that people know a bot by. */
export function makeRunningTurns({ list, botName }) {
  /** Conversation → its turn's elements, and whether it has ended and only waits for its message. */
  const turns = new Map();

  function drop(conversation) {
    turns.get(conversation)?.item.remove();
    turns.delete(conversation);
  }

  return {
    drop,

    clear() {
      for (const conversation of turns.keys()) drop(conversation);
    },

    /** A bot's message takes the place of what was streamed; a remark while its turn still runs does not. */
    dropEnded(bot) {
      for (const [conversation, { hasEnded }] of turns) {
        if (hasEnded && whereabouts(conversation).bot === bot) drop(conversation);
      }
    },

    started(event) {
      drop(event.conversation);
      const author = make(
        'p',
        { class: 'author' },
        botName(whereabouts(event.conversation).bot),
        tierBadge(event),
      );
      const text = make('div', { class: 'text streamed' });
      const note = make('p', { class: 'note', text: 'thinking' });
      const item = make('div', { class: 'message bot', 'data-running': '' }, author, text, note);
      turns.set(event.conversation, { item, text, note, hasEnded: false });
      list.append(item);
    },

    text(event) {
      const turn = turns.get(event.conversation);
      turn?.text.append(event.text);
      turn?.note.replaceChildren('writing');
    },

    tool(event, isRunning) {
      turns.get(event.conversation)?.note.replaceChildren(isRunning ? `using ${event.name}` : 'thinking');
    },

    /** What was streamed stays until its message comes; without words there is nothing to keep. */
    finished({ conversation }) {
      const turn = turns.get(conversation);
      if (!turn) return;
      turn.hasEnded = true;
      turn.note.replaceChildren();
      if (turn.text.textContent === '') drop(conversation);
    },

    failed(event) {
      const turn = turns.get(event.conversation);
      if (!turn) return;
      turn.hasEnded = true;
      turn.item.dataset.failed = '';
      turn.note.replaceChildren(`This attempt ended: ${words(event.outcome)}.`);
    },
  };
}
