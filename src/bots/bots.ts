/** Bot files: one schema for the predecessor's JSON and YAML, read at start and again when they change. */
import type { Clock } from '../base/clock.ts';
import type { BotId } from '../base/terms.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { CommandName, Who } from './commands.ts';

export type Language = 'en' | 'zh-CN';
export type DoubleTexting = 'enqueue' | 'merge' | 'interrupt' | 'reject';
export type SessionScope = 'room' | 'user';

/** A bot as the rest of the house sees it: checked, defaults filled in. */
export type Bot = {
  readonly id: BotId;
  /** Campfire's `<user id>-<token>`; null: learned from an authenticated webhook. Never logged. */
  readonly key: string | null;
  readonly name: string;
  readonly description: string;
  readonly isDefault: boolean;
  readonly model: string | undefined;
  /** Other models that `/model` may choose; empty: none. */
  readonly models: readonly string[];
  readonly thinkingBudgetTokens: number | undefined;
  /** The prompt with `$current_date` and its like replaced by fixed words that point to the message's header. */
  readonly systemPrompt: string;
  /** Built-in tools that the file lists and policy gives. */
  readonly builtinTools: readonly string[];
  readonly mcpServers: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  readonly language: Language;
  readonly sessionScope: SessionScope;
  /** Null: never expires. */
  readonly sessionTtlMs: number | null;
  readonly roomTtlMs: ReadonlyMap<string, number | null>;
  readonly doubleTexting: DoubleTexting;
  readonly turnTimeoutMs: number;
  readonly maxSteps: number;
  /** US dollars; null: no limit. */
  readonly maxTurnCostUsd: number | null;
  readonly maxSessionCostUsd: number | null;
  readonly maxUserDayCostUsd: number | null;
  /** Posts "working" when a turn starts. */
  readonly acknowledge: boolean;
  /** An expired conversation starts with a short recap of what was said; a lost one always does. */
  readonly recap: boolean;
  /** Above so many tokens of context a conversation is compacted after its turn; null: never by itself. */
  readonly compactAboveTokens: number | null;
  /** Answers messages of other bots too, up to the loop breaker. */
  readonly allowBots: boolean;
  /** Null: every room / everybody. */
  readonly allowedRooms: ReadonlySet<string> | null;
  readonly allowedUsers: ReadonlySet<string> | null;
  readonly commands: Readonly<Record<CommandName, Who>>;
};

/** What a bot file does not say. */
export type BotDefaults = {
  readonly language: Language;
  readonly model: string | undefined;
  readonly sessionScope: SessionScope;
  readonly sessionTtlMs: number | null;
  readonly doubleTexting: DoubleTexting;
  readonly turnTimeoutMs: number;
  /** `BOT_KEY_<BOT_ID>` by its whole name; over the key in the file. */
  readonly keys: Readonly<Record<string, string>>;
  /** `BOT_KEY`: the default bot's, when nothing else names one for it. */
  readonly defaultKey: string | null;
  /** Why no bot is given Bash on this host, as the end of a sentence; null: those that list it are. */
  readonly noShell: string | null;
};

export type BotsDeps = {
  /** Absolute; each holds bot files, prompts beside them or in `prompts/`. */
  readonly dirs: readonly string[];
  readonly defaults: BotDefaults;
  readonly clock: Clock;
  readonly log: Log;
};

/** Something wrong or unsupported in a bot file; the other bots go on. The reason holds no text of the file. */
export type BotProblem = {
  readonly severity: 'error' | 'warning';
  /** The file's path, a folder's, or `environment`. */
  readonly file: string;
  readonly field: string | null;
  readonly reason: string;
};

export type Bots = {
  get(id: BotId): Bot | null;
  /** The bot marked default, else the one named `default`, else the only one; null when that leaves a choice. */
  default(): Bot | null;
  /** Look-up by Campfire key, in a time that does not depend on which keys there are. */
  byKey(key: string): Bot | null;
  all(): readonly Bot[];
  problems(): readonly BotProblem[];
  /** Reads the folders again; a bad edit keeps the bot's last good version. */
  reload(): Promise<void>;
  close(): void;
};

export { COMMAND_NAMES, type CommandName, type Who } from './commands.ts';
export { makeBots } from './live-bots.ts';
export { isBotId } from './schema.ts';
export { noticeOf, ttlIn } from './settings.ts';
export {
  type CommandAnswer,
  commandText,
  type NoticeDetails,
  type NoticeKind,
  noticeText,
  type StatusFacts,
} from './texts.ts';
