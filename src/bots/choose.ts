/** Which bots hold when several files speak of them: pure, from what the files say to what is true. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { BotId } from '../base/terms.ts';
import type { Bot, BotDefaults, BotProblem } from './bots.ts';
import { keyVariable } from './build.ts';

/** A usable bot and the file that it came from, in the order of folders and names. */
export type Candidate = { readonly file: string; readonly bot: Bot };

export type ChosenBots = { readonly bots: readonly Bot[]; readonly problems: readonly BotProblem[] };

/** One bot an id: YAML before JSON, else the later file. */
export function chooseBots(candidates: readonly Candidate[], defaults: BotDefaults): ChosenBots {
  const problems: BotProblem[] = [];
  const winners = new Map<BotId, Candidate>();
  for (const candidate of candidates) {
    const former = winners.get(candidate.bot.id);
    const [winner, loser] =
      former !== undefined && isYaml(former.file) && !isYaml(candidate.file)
        ? [former, candidate]
        : [candidate, former];
    winners.set(candidate.bot.id, winner);
    if (loser) problems.push(warning(loser.file, 'bot_id', `not used: ${winner.file} has the same bot_id`));
  }
  const chosen = [...winners.values()];
  const bots = giveDefaultKey(
    chosen.map(({ bot }) => bot),
    defaults.defaultKey,
  );
  return { bots, problems: [...problems, ...findClashes(chosen), ...findKeysOfNobody(bots, defaults)] };
}

/** The bot marked default, else the one named `default`, else the only one; null when that leaves a choice. */
export function defaultOf(bots: readonly Bot[]): Bot | null {
  const marked = bots.find((bot) => bot.isDefault) ?? bots.find((bot) => bot.id === 'default');
  return marked ?? (bots.length === 1 ? (bots[0] ?? null) : null);
}

/** Compares with every bot's key, equal length and all, and stops at none. */
export function findByKey(bots: readonly Bot[], key: string): Bot | null {
  const sought = digest(key);
  let found: Bot | null = null;
  for (const bot of bots) {
    const same = timingSafeEqual(digest(bot.key ?? ''), sought);
    if (same && bot.key !== null && found === null) found = bot;
  }
  return found;
}

function giveDefaultKey(bots: readonly Bot[], key: string | null): readonly Bot[] {
  const receiver = defaultOf(bots);
  if (key === null || receiver === null || receiver.key !== null) return bots;
  if (findByKey(bots, key) !== null) return bots;
  return bots.map((bot) => (bot === receiver ? Object.freeze({ ...bot, key }) : bot));
}

function findClashes(chosen: readonly Candidate[]): readonly BotProblem[] {
  const problems: BotProblem[] = [];
  const [first, ...others] = chosen.filter(({ bot }) => bot.isDefault);
  for (const { file } of others) {
    problems.push(warning(file, 'default', `not the default: ${first?.file} is marked too`));
  }
  const keys = new Map<string, string>();
  for (const { file, bot } of chosen) {
    const taken = bot.key === null ? undefined : keys.get(bot.key);
    if (taken !== undefined) {
      problems.push(warning(file, 'bot_key', `the same key as in ${taken}: by key, that one is chosen`));
    } else if (bot.key !== null) keys.set(bot.key, file);
  }
  return problems;
}

function findKeysOfNobody(bots: readonly Bot[], defaults: BotDefaults): readonly BotProblem[] {
  const known = new Set(bots.map(({ id }) => keyVariable(id)));
  return Object.keys(defaults.keys)
    .filter((name) => !known.has(name))
    .map((name) => warning('environment', name, 'no bot has this id'));
}

function warning(file: string, field: string, reason: string): BotProblem {
  return { severity: 'warning', file, field, reason };
}

function isYaml(file: string): boolean {
  return !file.endsWith('.json');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
