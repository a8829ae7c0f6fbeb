/** Where a server may die between a webhook and its answer in the room: before, within or after a call of a port. */
export type CrashPoint = {
  readonly name: string;
  readonly port: Port;
  /** `within`: a transaction's work is done, and not committed. `after`: it is done, and nobody was told. */
  readonly when: 'before' | 'within' | 'after';
  /** It counts calls only after this one returned. */
  readonly since: Port;
  /** 1: the first call that counts. */
  readonly call: number;
  /** The message that is hit is the first of its room, so that a session is begun. */
  readonly cold: boolean;
};

export type Port =
  | 'inbox.accept'
  | 'leases.acquire'
  | 'sessions.begin'
  | 'inbox.claim'
  | 'transcripts.append'
  | 'turns.transaction'
  | 'outbox.claim'
  | 'chat.send'
  | 'outbox.finish'
  | 'leases.release';

/** In the order in which a message meets them. */
export const PORTS: readonly Port[] = [
  'inbox.accept',
  'leases.acquire',
  'sessions.begin',
  'inbox.claim',
  'transcripts.append',
  'turns.transaction',
  'outbox.claim',
  'chat.send',
  'outbox.finish',
  'leases.release',
];

/** What comes after the commit counts only from then on: the same ports work for earlier messages. */
const AFTER_COMMIT = new Set<Port>(['outbox.claim', 'chat.send', 'outbox.finish', 'leases.release']);

export const CRASH_POINTS: readonly CrashPoint[] = [
  ...PORTS.flatMap((port) => (['before', 'after'] as const).map((when) => pointOf(port, when))),
  pointOf('turns.transaction', 'within'),
  pointOf('transcripts.append', 'after', 2),
];

function pointOf(port: Port, when: CrashPoint['when'], call = 1): CrashPoint {
  return {
    name: `${when} ${port}${call === 1 ? '' : ` ${call}`}`,
    port,
    when,
    since: AFTER_COMMIT.has(port) ? 'turns.transaction' : 'inbox.accept',
    call,
    cold: port === 'sessions.begin',
  };
}
