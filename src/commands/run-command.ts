import { type Clock, within } from '../base/clock.ts';
import { unreachable } from '../base/errors.ts';
import { startOfDay } from '../base/local-day.ts';
import type { Bot, CommandAnswer } from '../bots/bots.ts';
import type { IncomingMessage } from '../inbox/inbox.ts';
import type { Ledger } from '../turn/turn.ts';
import type { Steering } from './commands.ts';
import type { Command } from './parse-command.ts';

/** The webhook waits for the answer to be stored, for three seconds at most. */
const STOP_LIMIT_MS = 1_000;
const RESET_LIMIT_MS = 1_500;

export type RunDeps = {
  readonly steering: Steering;
  readonly ledger: Pick<Ledger, 'spent'>;
  readonly clock: Clock;
  /** In which a day begins. */
  readonly timeZone: string;
};

/** What a command has done and what is left: what waits is dropped, if at all, together with the answer. */
export type CommandRun = {
  readonly dropWaiting: boolean;
  answer(dropped: number): CommandAnswer;
};

/** Does what a command says, which its giver may. What takes long goes on by itself. */
export async function runCommand(
  command: Command,
  message: IncomingMessage,
  bot: Bot,
  deps: RunDeps,
): Promise<CommandRun> {
  switch (command.name) {
    case 'stop':
      return runStop(message, deps);
    case 'status':
      return saying(await tellStatus(message, bot, deps));
    case 'reset':
      return saying(await runReset(message, deps));
    case 'compact':
      return saying(await runCompact(message, deps));
    case 'model':
      return saying(await runModel(command.argument, message, bot, deps));
    default:
      return unreachable(command.name);
  }
}

function saying(answer: CommandAnswer): CommandRun {
  return { dropWaiting: false, answer: () => answer };
}

/** The turn's own last words come first: it has ended, and they are owed, before the answer is. */
async function runStop({ conversation }: IncomingMessage, { steering, clock }: RunDeps): Promise<CommandRun> {
  const end = await within(clock, STOP_LIMIT_MS, steering.interrupt(conversation));
  return {
    dropWaiting: true,
    answer(dropped) {
      if (end === 'timed-out') return { kind: 'stopping', dropped };
      if (end === 'not-running' && dropped === 0) return { kind: 'nothing_to_stop' };
      return { kind: 'stopped', dropped };
    },
  };
}

async function runReset(
  { conversation }: IncomingMessage,
  { steering, clock }: RunDeps,
): Promise<CommandAnswer> {
  const done = await within(clock, RESET_LIMIT_MS, steering.reset(conversation));
  return { kind: done === 'timed-out' ? 'forgetting' : 'forgotten' };
}

async function runCompact({ conversation }: IncomingMessage, { steering }: RunDeps): Promise<CommandAnswer> {
  const start = await steering.compact(conversation);
  return { kind: start === 'started' ? 'compacting' : 'nothing_to_compact' };
}

/** Without a name it tells; with one it changes, to one that the bot file lists. */
async function runModel(
  wanted: string | null,
  { conversation }: IncomingMessage,
  bot: Bot,
  { steering }: RunDeps,
): Promise<CommandAnswer> {
  const own = bot.model ?? null;
  const models = [...new Set([...(own === null ? [] : [own]), ...bot.models])];
  if (wanted === null) {
    const { model } = await steering.status(conversation);
    return { kind: 'model', model: model ?? own, models: bot.models.length === 0 ? [] : models };
  }
  if (bot.models.length === 0) return { kind: 'no_such_model', models: [] };
  if (!models.includes(wanted)) return { kind: 'no_such_model', models };
  await steering.setModel(conversation, wanted === own ? null : wanted);
  return { kind: 'model_set', model: wanted };
}

async function tellStatus(
  { conversation, userId }: IncomingMessage,
  bot: Bot,
  { steering, ledger, clock, timeZone }: RunDeps,
): Promise<CommandAnswer> {
  const now = clock.now();
  const since = startOfDay(now, timeZone);
  const [status, todayUsd] = await Promise.all([
    steering.status(conversation),
    ledger.spent({ bot: bot.id, user: userId, since }),
  ]);
  const { session, runningSince, waiting, isLive } = status;
  return {
    kind: 'status',
    model: status.model ?? bot.model ?? null,
    runningMs: runningSince === null ? null : now - runningSince,
    waiting,
    isLive,
    session: session && {
      turnCount: session.turnCount,
      ageMs: now - session.createdAt,
      costUsd: session.costUsd,
    },
    todayUsd,
    maxSessionCostUsd: bot.maxSessionCostUsd,
    maxUserDayCostUsd: bot.maxUserDayCostUsd,
  };
}
