import { within } from '../base/clock.ts';
import { unreachable } from '../base/errors.ts';
import type { UserId } from '../base/terms.ts';
import { type Bot, type Bots, type CommandAnswer, commandText, noticeOf } from '../bots/bots.ts';
import type { AcceptOutcome, IncomingMessage } from '../inbox/inbox.ts';
import type { NewReply } from '../outbox/outbox.ts';
import type { Arrivals } from './commands.ts';
import { decideArrival } from './decide-arrival.ts';
import { mayCommand } from './may-command.ts';
import { type Command, parseCommand } from './parse-command.ts';
import { type CommandRun, type RunDeps, runCommand } from './run-command.ts';

/** What a chat says of people comes in time, or the command is treated as if it said nothing. */
const ROLE_LIMIT_MS = 1_000;

export type AcceptDeps = RunDeps & {
  readonly arrivals: Arrivals;
  readonly bots: Pick<Bots, 'get'>;
  /** Whether this is one of our own bots. */
  isOurs(user: UserId): boolean;
  /** Whether the author is a bot, or an administrator, of the chat; null when nothing readable says so. */
  isBot(message: IncomingMessage): Promise<boolean | null>;
  isAdministrator(message: IncomingMessage): Promise<boolean | null>;
  /** Replies were committed: the sender may look. */
  owed(): void;
};

/**
 * Takes an arriving message. A command is done and answered before this resolves: first the action, which may be done
 * twice, then one transaction with the dedupe key, the settled row and the answer. Whoever sends it again meets the row.
 */
export function makeAcceptMessage(deps: AcceptDeps): (message: IncomingMessage) => Promise<AcceptOutcome> {
  const { arrivals, bots, clock, steering } = deps;

  return async (message) => {
    const bot = bots.get(message.botId);
    const command = parseCommand(message.text);
    const arrival = decideArrival({ message, bot, command, authorIsOurs: deps.isOurs(message.userId) });
    if (bot === null || arrival === 'wait') return arrivals.accept(message);
    switch (arrival) {
      case 'ignore':
        return arrivals.ignore(message);
      case 'reject-if-busy':
        // A bot that is told that it was turned away would answer that.
        if ((await inTime(deps.isBot(message))) === true) return arrivals.accept(message);
        return told(await arrivals.acceptUnlessBusy(message, busyNotice(message, bot)));
      case 'command':
        return command === null ? arrivals.accept(message) : acceptCommand(command, message, bot);
      default:
        return unreachable(arrival);
    }
  };

  async function acceptCommand(command: Command, message: IncomingMessage, bot: Bot): Promise<AcceptOutcome> {
    // Done again an hour later, a reset would forget what was said since.
    if (await arrivals.isStored(message)) return { kind: 'duplicate' };
    if ((await inTime(deps.isBot(message))) === true) return arrivals.accept(message);
    // It was meant for what was going on then.
    if (message.sentAt !== undefined)
      return settle(message, bot, saying({ kind: 'late', command: command.name }));
    const who = bot.commands[command.name];
    if (!(await isAllowed(message, who))) {
      return settle(message, bot, saying({ kind: 'refused', command: command.name, who }));
    }
    // What is dropped with the answer must not begin before it.
    const release = command.name === 'stop' ? steering.hold(message.conversation) : () => {};
    try {
      return await settle(message, bot, await runCommand(command, message, bot, deps));
    } finally {
      release();
    }
  }

  async function isAllowed(message: IncomingMessage, who: Bot['commands']['stop']): Promise<boolean> {
    const lastAuthor = await arrivals.lastAuthor(message.conversation);
    const may = mayCommand({ who, userId: message.userId, lastAuthor });
    return may === 'ask-role' ? (await inTime(deps.isAdministrator(message))) === true : may === 'yes';
  }

  async function settle(message: IncomingMessage, bot: Bot, run: CommandRun): Promise<AcceptOutcome> {
    const outcome = await arrivals.acceptAnswered(message, {
      dropWaiting: run.dropWaiting,
      answer: (dropped) => replyTo(message, 'command', commandText(run.answer(dropped), bot.language)),
    });
    return told(outcome);
  }

  function told(outcome: AcceptOutcome): AcceptOutcome {
    if (outcome.kind === 'answered' || outcome.kind === 'rejected') deps.owed();
    return outcome;
  }

  function inTime<Value>(asked: Promise<Value>): Promise<Value | 'timed-out'> {
    return within(clock, ROLE_LIMIT_MS, asked);
  }
}

function saying(answer: CommandAnswer): CommandRun {
  return { dropWaiting: false, answer: () => answer };
}

function busyNotice(message: IncomingMessage, bot: Bot): NewReply {
  return replyTo(message, 'busy', noticeOf('busy', bot, { rejected: true }));
}

/** Its row is not there yet: whoever stores both joins them. */
function replyTo(message: IncomingMessage, kind: NewReply['kind'], markdown: string): NewReply {
  const { conversation, chat, roomId, botId } = message;
  return { conversation, chat, roomId, botId, inboxId: null, kind, markdown };
}
