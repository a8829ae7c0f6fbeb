import { type BotId, botId } from '../base/terms.ts';
import type { Bot, BotDefaults, Language } from './bots.ts';
import { chooseCommands } from './commands.ts';
import { chooseMcpServers, chooseTools, type FieldNote, findWithoutEffect } from './fields.ts';
import type { BotFile } from './schema.ts';
import { defaultPrompt, replaceVariables, toLanguage } from './texts.ts';

/** Tool round trips in one turn, as the predecessor had it. */
/** Three quarters of the usual context window of 200,000 tokens. */
const COMPACT_ABOVE_TOKENS = 150_000;
const MAX_STEPS = 30;
/** Thinking that is switched on without a budget; the API's least is 1,024. */
const THINKING_BUDGET_TOKENS = 4_096;
const LEAST_THINKING_TOKENS = 1_024;

export type BuiltBot = { readonly bot: Bot; readonly notes: readonly FieldNote[] };

/** A checked file as a bot, with the defaults filled in. `prompt` is the prompt file's text, null without one. */
export function buildBot(file: BotFile, prompt: string | null, defaults: BotDefaults): BuiltBot {
  const notes: FieldNote[] = [...findWithoutEffect(file)];
  const language = chooseLanguage(file, defaults, notes);
  const tools = chooseTools(file, defaults.noShell);
  const mcp = chooseMcpServers(file);
  const id = botId(file.bot_id);
  const name = file.display_name ?? file.name ?? file.bot_id;
  if (prompt !== null && file.system_prompt !== undefined) {
    notes.push({ field: 'system_prompt', reason: 'not used: system_prompt_file is given too' });
  }
  const bot: Bot = {
    id,
    key: defaults.keys[keyVariable(id)] ?? file.bot_key ?? null,
    name,
    description: file.description ?? '',
    isDefault: file.default ?? false,
    model: file.model_config?.model ?? defaults.model,
    models: Object.freeze([...new Set(file.model_config?.models ?? [])]),
    thinkingBudgetTokens: chooseThinking(file, notes),
    systemPrompt: choosePrompt(file, prompt, language, name),
    builtinTools: tools.builtin,
    mcpServers: mcp.servers,
    env: file.env ?? {},
    language,
    ...chooseRules(file, defaults),
  };
  return { bot: freeze(bot), notes: [...notes, ...tools.notes, ...mcp.notes] };
}

/** How the bot's conversations are kept and its turns run, and for whom. */
function chooseRules(file: BotFile, defaults: BotDefaults) {
  const { session_ttl: ttl, turn_timeout_seconds: seconds } = file;
  return {
    sessionScope: file.session_scope ?? defaults.sessionScope,
    sessionTtlMs: ttl === undefined ? defaults.sessionTtlMs : ttl,
    roomTtlMs: roomTtls(file),
    doubleTexting: file.double_texting ?? defaults.doubleTexting,
    turnTimeoutMs: seconds === undefined ? defaults.turnTimeoutMs : Math.round(seconds * 1_000),
    maxSteps: file.limits?.max_steps ?? MAX_STEPS,
    maxTurnCostUsd: file.limits?.max_turn_cost_usd ?? null,
    maxSessionCostUsd: file.limits?.max_session_cost_usd ?? null,
    maxUserDayCostUsd: file.limits?.max_cost_usd_per_user_per_day ?? null,
    acknowledge: file.progress?.working ?? false,
    recap: file.recap ?? false,
    compactAboveTokens: file.compact_above_tokens ?? COMPACT_ABOVE_TOKENS,
    allowBots: file.allow_bots ?? false,
    allowedRooms: toSet(file.allowed_rooms),
    allowedUsers: toSet(file.allowed_users),
    commands: chooseCommands(file.commands ?? {}),
  };
}

/** The bot that is there when no folder holds a bot file. */
export function buildOnlyBot(defaults: BotDefaults): Bot {
  return buildBot({ bot_id: 'default', name: 'firekeeper', default: true }, null, defaults).bot;
}

/** The environment variable that holds the key of the bot with this id. */
export function keyVariable(id: BotId): string {
  return `BOT_KEY_${id.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
}

function choosePrompt(file: BotFile, prompt: string | null, language: Language, botName: string): string {
  const written = prompt ?? file.system_prompt ?? '';
  if (written.trim() === '') {
    return defaultPrompt(language, { botName, description: file.description ?? '' });
  }
  return replaceVariables(written, language);
}

function chooseLanguage(file: BotFile, defaults: BotDefaults, notes: FieldNote[]): Language {
  if (file.default_language === undefined) return defaults.language;
  const language = toLanguage(file.default_language);
  if (language !== null) return language;
  notes.push({
    field: 'default_language',
    reason: `there are no texts in this language: ${defaults.language} is used`,
  });
  return defaults.language;
}

function chooseThinking(file: BotFile, notes: FieldNote[]): number | undefined {
  const thinking = file.model_config?.thinking;
  if (thinking?.enabled !== true) return undefined;
  const budget = thinking.budget_tokens ?? THINKING_BUDGET_TOKENS;
  if (budget >= LEAST_THINKING_TOKENS) return budget;
  notes.push({
    field: 'model_config.thinking.budget_tokens',
    reason: `too few: ${LEAST_THINKING_TOKENS}, the least, is used`,
  });
  return LEAST_THINKING_TOKENS;
}

function roomTtls(file: BotFile): ReadonlyMap<string, number | null> {
  const rooms = Object.entries(file.rooms ?? {});
  return new Map(
    rooms.flatMap(([room, { session_ttl }]) => (session_ttl === undefined ? [] : [[room, session_ttl]])),
  );
}

function toSet(ids: readonly string[] | undefined): ReadonlySet<string> | null {
  return ids === undefined ? null : new Set(ids);
}

function freeze(bot: Bot): Bot {
  for (const part of [bot.builtinTools, bot.mcpServers, bot.env]) Object.freeze(part);
  return Object.freeze(bot);
}
