/** Everything that survives a restart: the ports of the other folders over one database, written once for all backends. */
import type { AgentRegistry, TranscriptStore } from '../agent/agent.ts';
import type { InboxViews, OutboxViews, SessionViews } from '../api/api.ts';
import type { Clock } from '../base/clock.ts';
import type { BotKeys, BotRooms, RoomStore } from '../chat/chat.ts';
import type { Leases } from '../cluster/cluster.ts';
import type { Arrivals } from '../commands/commands.ts';
import type { Inbox } from '../inbox/inbox.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { ProjectStore } from '../projects/projects.ts';
import type { History, SessionRecords } from '../session/session.ts';
import type { Ledger, TurnStore } from '../turn/turn.ts';
import type { Overflow } from '../webhook/webhook.ts';
import type { Database } from './database.ts';
import { type LeftAgent, makeAgentRegistry, takeLeftAgents } from './sql/agents.ts';
import { makeArrivals } from './sql/arrivals.ts';
import { makeBotKeys } from './sql/bot-keys.ts';
import { makeBotRooms } from './sql/bot-rooms.ts';
import { makeHistory } from './sql/history.ts';
import { makeInbox } from './sql/inbox.ts';
import { makeInboxViews } from './sql/inbox-views.ts';
import { endAllLeases, makeLeases } from './sql/leases.ts';
import { makeLedger } from './sql/ledger.ts';
import { type Meta, makeMeta } from './sql/meta.ts';
import { makeOutbox } from './sql/outbox.ts';
import { makeOutboxViews } from './sql/outbox-views.ts';
import { makeOverflow } from './sql/overflow.ts';
import { makeProjectStore } from './sql/project-store.ts';
import { makeRetention, type Retention } from './sql/retention.ts';
import { makeRoomMessages } from './sql/room-messages.ts';
import { makeSessionViews } from './sql/session-views.ts';
import { makeSessionRecords } from './sql/sessions.ts';
import { makeTranscripts } from './sql/transcripts.ts';
import { makeTurnStore } from './sql/turns.ts';

export type Store = {
  readonly inbox: Inbox;
  readonly arrivals: Arrivals;
  readonly overflow: Overflow;
  readonly outbox: Outbox;
  readonly leases: Leases;
  readonly sessions: SessionRecords;
  readonly history: History;
  readonly turns: TurnStore;
  readonly ledger: Ledger;
  readonly transcripts: TranscriptStore;
  readonly agents: AgentRegistry;
  readonly roomMessages: RoomStore;
  readonly botKeys: BotKeys;
  readonly botRooms: BotRooms;
  readonly meta: Meta;
  readonly retention: Retention;
  readonly projects: ProjectStore;
  /** What operators' routes read beyond the ports above. */
  readonly views: {
    readonly sessions: SessionViews;
    readonly inbox: InboxViews;
    readonly outbox: OutboxViews;
  };
  /**
   * What a killed server left: ends its leases, so that their conversations are due now and not when they expire, and
   * empties its agent registry. To be called once, before anything else, by the only server of the database (the lock).
   */
  recover(): Promise<{ readonly leases: number; readonly agents: readonly LeftAgent[] }>;
  /** Lets writes under way finish and closes the database. */
  close(): Promise<void>;
};

export type StoreOptions = {
  /** This process among all that ever hold leases of the database: new at every start. */
  readonly holder: string;
  /** How long a lease is good without renewal. */
  readonly leaseMs: number;
};

export function makeStore(database: Database, clock: Clock, options: StoreOptions): Store {
  const { holder } = options;
  const inbox = makeInbox(database, clock, holder);
  return {
    inbox,
    arrivals: { accept: inbox.accept, ...makeArrivals(database, clock) },
    outbox: makeOutbox(database, clock),
    leases: makeLeases(database, clock, options),
    history: makeHistory(database),
    sessions: makeSessionRecords(database, clock, holder),
    turns: makeTurnStore(database, clock, holder),
    overflow: makeOverflow(database, clock),
    ledger: makeLedger(database),
    transcripts: makeTranscripts(database, holder),
    agents: makeAgentRegistry(database, clock),
    roomMessages: makeRoomMessages(database),
    botKeys: makeBotKeys(database),
    botRooms: makeBotRooms(database, clock),
    meta: makeMeta(database),
    retention: makeRetention(database, holder),
    projects: makeProjectStore(database, clock, options),
    views: {
      sessions: makeSessionViews(database),
      inbox: makeInboxViews(database),
      outbox: makeOutboxViews(database),
    },
    recover: () =>
      database.write(async (trx) => ({
        leases: await endAllLeases(trx),
        agents: await takeLeftAgents(trx),
      })),
    close: () => database.close(),
  };
}

export { type Database, DatabaseBusy } from './database.ts';
export { DatabaseTooNew } from './migrate.ts';
export { type MoveOutcome, moveToPostgres } from './postgres/move.ts';
export { type PostgresProbe, probePostgres } from './postgres/probe.ts';
export type { LeftAgent } from './sql/agents.ts';
export type { Meta } from './sql/meta.ts';
export { type BackupOutcome, backUp } from './sqlite/backup.ts';
export { type RestoreOutcome, restoreBackup } from './sqlite/restore.ts';
