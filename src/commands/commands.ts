/**
 * What becomes of a message when it arrives: a command, which is answered at once and never reaches the model; one that
 * is turned away or ignored; or one that waits for its turn.
 */
import type { ConversationKey, Instant, UserId } from '../base/terms.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import type { NewReply } from '../outbox/outbox.ts';

/** Where arriving messages are stored. Each method is one transaction, on disk when it resolves. */
export type Arrivals = {
  /** It waits for its turn. */
  accept(message: IncomingMessage): Promise<AcceptOutcome>;
  /** It is stored and nothing happens. */
  ignore(message: IncomingMessage): Promise<AcceptOutcome>;
  /**
   * It waits for its turn when the conversation has no unfinished message; else it is `rejected`, and `notice` is owed
   * where it is the first one since that unfinished message came.
   */
  acceptUnlessBusy(message: IncomingMessage, notice: NewReply): Promise<AcceptOutcome>;
  /**
   * It is settled with its answer. With `dropWaiting` the conversation's waiting messages are buried as `stopped`; how
   * many is told to `answer`.
   */
  acceptAnswered(
    message: IncomingMessage,
    options: { readonly dropWaiting: boolean; answer(dropped: number): NewReply },
  ): Promise<AcceptOutcome>;
  /** Whether the message was stored before. */
  isStored(message: IncomingMessage): Promise<boolean>;
  /** Whose message the conversation's running turn has, or its last one had; null before the first. */
  lastAuthor(conversation: ConversationKey): Promise<UserId | null>;
};

/** A conversation as it is now. */
export type ConversationStatus = {
  /** Since when a turn has been under way; null when none is. */
  readonly runningSince: Instant | null;
  readonly waiting: number;
  /** Its process is there. */
  readonly isLive: boolean;
  readonly session: {
    readonly turnCount: number;
    readonly createdAt: Instant;
    /** Of all attempts since then, in US dollars. */
    readonly costUsd: number;
  } | null;
  /** Chosen by `/model`; null: the bot's own. */
  readonly model: string | null;
};

/** What can be done to one conversation from outside its turns. Each is harmless when it is done twice. */
export type Steering = {
  /** Ends its running turn and deletes all that it remembers. */
  reset(conversation: ConversationKey): Promise<void>;
  /** Asks its running turn to end, silently: who asked says so. Resolves when it has ended. */
  interrupt(conversation: ConversationKey): Promise<'ended' | 'not-running'>;
  /** No new turn of it begins until the function that this returns is called. */
  hold(conversation: ConversationKey): () => void;
  status(conversation: ConversationKey): Promise<ConversationStatus>;
  /** Shortens what it remembers as soon as no turn runs; `nothing`: it remembers nothing. */
  compact(conversation: ConversationKey): Promise<'started' | 'nothing'>;
  /** The model of its turns from now on, until it is reset; null: the bot's own. */
  setModel(conversation: ConversationKey, model: string | null): Promise<void>;
};

export { type AcceptDeps, makeAcceptMessage } from './accept-message.ts';
export { parseCommand } from './parse-command.ts';
export { type CompactResult, type ConversationSteering, makeSteering } from './steering.ts';
