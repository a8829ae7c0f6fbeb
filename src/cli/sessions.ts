import { type Command, UsageError } from './command.ts';
import { sessionPath, withOperator } from './operator.ts';
import { readLimit, toAge, toTable } from './present.ts';
import { type Ask, askOrFail } from './server-client.ts';

/** What the routes answer, as far as it is shown. */
type Session = {
  readonly key: string;
  readonly session_id: string;
  readonly state: string;
  readonly tier: string;
  readonly start: string;
  readonly connected: boolean;
  readonly busy: boolean;
  readonly query_count: number;
  readonly age_seconds: number;
  readonly idle_seconds: number;
  readonly rss_mb: number | null;
  readonly cost_usd: number;
};
type Turn = {
  readonly ended_at: string;
  readonly tier: string;
  readonly start: string;
  readonly outcome: string;
  readonly answered_ms: number;
  readonly reason: string;
};
type SessionPage = { readonly sessions: readonly Session[]; readonly next: string | null };
type OneSession = Session & {
  readonly turns: readonly Turn[];
  readonly totals: { readonly attempts: number; readonly cost_usd: number } & Readonly<
    Record<string, number>
  >;
};
const PAGE = 500;
const MOST_LISTED = 10_000;

export const sessionsList: Command = {
  name: 'sessions list',
  usage: '[--limit N]',
  summary: 'Lists the conversations that have a session, newest use first.',
  help: ['--limit N  at most so many (default: 50)'],
  options: { limit: { type: 'string' } },
  positionals: 0,

  async run({ flags, texts }, deps) {
    const limit = readLimit(texts.get('limit'), MOST_LISTED);
    const { sessions, next } = await withOperator(deps, (ask) => listSessions(ask, limit));
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, sessions, next }));
    else deps.out(sessions.length === 0 ? 'There is no session.' : toText(sessions));
    return 0;
  },
};

async function listSessions(ask: Ask, limit: number): Promise<SessionPage> {
  const sessions: Session[] = [];
  let next: string | null = null;
  do {
    const count = Math.min(PAGE, limit - sessions.length);
    const from: string = next === null ? '' : `&before=${encodeURIComponent(next)}`;
    const path = `/api/sessions?limit=${count}${from}`;
    // The routes' own schemas are checked where they are made.
    const page = (await askOrFail(ask, { method: 'GET', path })) as SessionPage;
    sessions.push(...page.sessions);
    next = page.next;
  } while (next !== null && sessions.length < limit);
  return { sessions, next };
}

function toText(sessions: readonly Session[]): string {
  return toTable([
    ['KEY', 'STATE', 'LAST TURN', 'AGENT', 'TURNS', 'IDLE', 'COST'],
    ...sessions.map((session) => [
      session.key,
      session.state,
      `${session.tier}, ${session.start}`,
      agentOf(session),
      String(session.query_count),
      toAge(session.idle_seconds),
      `$${session.cost_usd.toFixed(4)}`,
    ]),
  ]);
}

function agentOf({ connected, busy, rss_mb }: Session): string {
  if (!connected) return busy ? 'starting' : '-';
  return `${busy ? 'busy' : 'idle'}${rss_mb === null ? '' : `, ${Math.round(rss_mb)} MB`}`;
}

export const sessionsShow: Command = {
  name: 'sessions show',
  usage: 'KEY',
  summary: 'Shows one conversation: its newest session, its last turns and what it has cost.',
  help: ['KEY  as "sessions list" shows it: <chat>:<room>:<bot>[:<user>]'],
  options: {},
  positionals: 1,

  async run({ positionals, flags }, deps) {
    const path = sessionPath(keyOf(positionals));
    const session = (await withOperator(deps, (ask) =>
      askOrFail(ask, { method: 'GET', path }),
    )) as OneSession;
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, ...session }));
    else deps.out(describe(session));
    return 0;
  },
};

function describe(session: OneSession): string {
  const { totals } = session;
  const facts = toTable([
    ['Conversation', session.key],
    ['Session', `${session.session_id} (${session.state})`],
    ['Last turn', `${session.tier}, ${session.start}`],
    ['Agent', agentOf(session)],
    ['Turns', String(session.query_count)],
    ['Age', toAge(session.age_seconds)],
    ['Idle', toAge(session.idle_seconds)],
    ['Cost', `$${session.cost_usd.toFixed(4)} in this session, $${totals.cost_usd.toFixed(4)} in all`],
    ['Attempts', `${totals.attempts} in all`],
    ['Tokens', `${totals.input_tokens} in, ${totals.output_tokens} out`],
  ]);
  const turns = session.turns.map((turn) => [
    turn.ended_at,
    turn.outcome,
    `${turn.tier}, ${turn.start}`,
    `${(turn.answered_ms / 1_000).toFixed(1)} s`,
    turn.reason,
  ]);
  return [
    facts,
    '',
    ...(turns.length === 0 ? ['No turn yet.'] : ['Turns, newest first', toTable(turns)]),
  ].join('\n');
}

export const sessionsReset: Command = {
  name: 'sessions reset',
  usage: 'KEY',
  summary: 'Forgets one conversation: its running turn, memory, files and what was said.',
  help: ['KEY  as "sessions list" shows it'],
  options: {},
  positionals: 1,

  async run({ positionals, flags }, deps) {
    const key = keyOf(positionals);
    const path = sessionPath(key, '/reset');
    await withOperator(deps, (ask) => askOrFail(ask, { method: 'POST', path }));
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, key }));
    else deps.out(`${key} is forgotten.`);
    return 0;
  },
};

export function keyOf([key]: readonly string[]): string {
  if (key === undefined) throw new UsageError('which conversation? KEY is missing');
  return key;
}
