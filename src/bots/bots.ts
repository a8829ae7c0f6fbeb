/** Bot files: one schema for the predecessor's JSON and YAML, read at start and again when they change. */
import type { BotId } from '../base/terms.ts';

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
  /** Posts "working" when a turn starts. */
  readonly acknowledge: boolean;
  /** Answers messages of other bots too, up to the loop breaker. */
  readonly allowBots: boolean;
  /** Null: every room / everybody. */
  readonly allowedRooms: ReadonlySet<string> | null;
  readonly allowedUsers: ReadonlySet<string> | null;
};

/** Something wrong or unsupported in a bot file; the other bots go on. */
export type BotProblem = {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly field: string | null;
  readonly reason: string;
};

export type Bots = {
  get(id: BotId): Bot | null;
  /** The bot marked default, else the one named `default`, else the only one; null when that leaves a choice. */
  default(): Bot | null;
  /** Constant-time look-up by Campfire key. */
  byKey(key: string): Bot | null;
  all(): readonly Bot[];
  problems(): readonly BotProblem[];
  /** Reads the folders again; a bad edit keeps the bot's last good version. */
  reload(): Promise<void>;
  close(): void;
};
