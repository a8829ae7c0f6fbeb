import { type Command, UsageError } from './command.ts';
import { withOperator } from './operator.ts';
import { readLimit, toTable } from './present.ts';
import { askOrFail } from './server-client.ts';

/** What the routes answer, as far as it is shown. */
type Message = {
  readonly id: number;
  readonly key: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly attempts: number;
  readonly user_name: string;
  readonly accepted_at: string;
  readonly replay_of: number | null;
  readonly text?: string;
};

const MOST_LISTED = 500;
/** Of a text, in a table. */
const MOST_CHARACTERS = 60;

export const inboxList: Command = {
  name: 'inbox list',
  usage: '[--state STATES] [--key KEY] [--text] [--limit N]',
  summary: 'Lists messages that wait, run or are dead, newest first.',
  help: [
    '--state STATES  of waiting, running, settled, buried, ignored; several with commas between them',
    '--key KEY  of this conversation alone',
    '--text  with what was written',
    '--limit N  at most so many (default: 50)',
  ],
  options: {
    state: { type: 'string' },
    key: { type: 'string' },
    text: { type: 'boolean' },
    limit: { type: 'string' },
  },
  positionals: 0,

  async run({ flags, texts }, deps) {
    const query = new URLSearchParams({ limit: String(readLimit(texts.get('limit'), MOST_LISTED)) });
    for (const name of ['state', 'key']) {
      const value = texts.get(name);
      if (value !== undefined) query.set(name, value);
    }
    if (flags.has('text')) query.set('text', 'true');
    const path = `/api/inbox?${query}`;
    // The routes' own schemas are checked where they are made.
    const page = (await withOperator(deps, (ask) => askOrFail(ask, { method: 'GET', path }))) as {
      readonly messages: readonly Message[];
      readonly next: number | null;
    };
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, ...page }));
    else deps.out(page.messages.length === 0 ? 'There is no such message.' : toText(page.messages));
    return 0;
  },
};

function toText(messages: readonly Message[]): string {
  const withText = messages.some(({ text }) => text !== undefined);
  return toTable([
    ['ID', 'STATE', 'ATTEMPTS', 'ACCEPTED', 'FROM', 'CONVERSATION', ...(withText ? ['TEXT'] : [])],
    ...messages.map((message) => [
      String(message.id),
      `${message.state}${message.outcome === null ? '' : ` (${message.outcome})`}`,
      String(message.attempts),
      message.accepted_at,
      message.user_name,
      message.key,
      ...(withText ? [toOneLine(message.text ?? '')] : []),
    ]),
  ]);
}

function toOneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
}

export const inboxReplay: Command = {
  name: 'inbox replay',
  usage: 'ID',
  summary: 'Lets a dead message run again, as a copy; each at most once.',
  help: ['ID  as "inbox list" shows it'],
  options: {},
  positionals: 1,

  async run({ positionals, flags }, deps) {
    const [id] = positionals;
    if (id === undefined || !/^\d{1,15}$/.test(id)) throw new UsageError('which message? ID is its number');
    const path = `/api/inbox/${id}/replay`;
    const { message } = (await withOperator(deps, (ask) => askOrFail(ask, { method: 'POST', path }))) as {
      readonly message: Message;
    };
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, message }));
    else deps.out(`Message ${id} runs again as message ${message.id}, in ${message.key}.`);
    return 0;
  },
};
