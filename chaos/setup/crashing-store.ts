/** The store's ports with one call that the process does not survive. */
import { systemClock } from '../../src/base/clock.ts';
import type { Store } from '../../src/store/store.ts';
import type { TurnStore, TurnTransaction } from '../../src/turn/turn.ts';
import type { CrashPoint, Port } from './crash-points.ts';

/** The message that holds this is the one that is hit. */
export const DOOMED = 'doomed';

/** Ports are passed on as they are until the doomed message comes; from then on calls are counted. */
export function crashingStore(store: Store, point: CrashPoint): Store {
  let armed = false;
  let counting = false;
  let calls = 0;

  async function around<Result>(port: Port, work: () => Promise<Result>): Promise<Result> {
    const mine = port === point.port && (counting || (armed && port === 'inbox.accept'));
    if (mine && point.when === 'before' && isTheOne()) await die();
    const result = await work();
    if (mine && point.when === 'after' && !isEmpty(result) && isTheOne()) await die();
    if (armed && port === point.since) counting = true;
    return result;
  }
  function isTheOne(): boolean {
    calls += 1;
    return calls === point.call;
  }

  const acceptUnlessFull: Store['overflow']['acceptUnlessFull'] = (message, ...given) => {
    armed ||= message.text.includes(DOOMED);
    return around('inbox.accept', () => store.overflow.acceptUnlessFull(message, ...given));
  };
  const transaction: TurnStore['transaction'] = (lease, work) =>
    around('turns.transaction', () =>
      store.turns.transaction(lease, async (tx) => {
        const result = await work(point.port === 'outbox.claim' ? claimingLater(tx) : tx);
        if (counting && point.port === 'turns.transaction' && point.when === 'within') await die();
        return result;
      }),
    );

  return {
    ...store,
    overflow: { ...store.overflow, acceptUnlessFull },
    inbox: {
      ...store.inbox,
      claim: (...given) => around('inbox.claim', () => store.inbox.claim(...given)),
    },
    leases: {
      ...store.leases,
      acquire: (...given) => around('leases.acquire', () => store.leases.acquire(...given)),
      release: (...given) => around('leases.release', () => store.leases.release(...given)),
    },
    sessions: {
      ...store.sessions,
      begin: (...given) => around('sessions.begin', () => store.sessions.begin(...given)),
    },
    transcripts: {
      ...store.transcripts,
      append: (...given) => around('transcripts.append', () => store.transcripts.append(...given)),
    },
    turns: { ...store.turns, transaction },
    outbox: {
      ...store.outbox,
      claim: (...given) => around('outbox.claim', () => store.outbox.claim(...given)),
      finish: (...given) => around('outbox.finish', () => store.outbox.finish(...given)),
    },
    // Where the built-in room is the chat, a message is sent when it is stored.
    roomMessages: {
      ...store.roomMessages,
      add: (message) => around('chat.send', () => store.roomMessages.add(message)),
    },
  };
}

/** As while something goes on in the reply's lane: then it is claimed by a commit of its own. */
function claimingLater(tx: TurnTransaction): TurnTransaction {
  return { ...tx, outbox: { ...tx.outbox, claim: async () => null } };
}

/** Of a claim that found nothing, which is no step of a message. */
function isEmpty(result: unknown): boolean {
  return result === null || (Array.isArray(result) && result.length === 0);
}

/** As the machine would end it: no handler runs, nothing is flushed. The signal may take a moment; nothing goes on. */
async function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return systemClock.sleep(60_000).then(() => die());
}
