/** What a room reads beside replies, in the bot's language: one file per language. Markdown. */
import type { Language } from './bots.ts';
import type { CommandName, Who } from './commands.ts';
import { en } from './texts/en.ts';
import { zhCN } from './texts/zh-CN.ts';

/** Every kind of outbox row but replies and the answers to commands. */
export type NoticeKind =
  | 'working'
  | 'busy'
  | 'takes_longer'
  | 'overloaded'
  | 'timed_out'
  | 'connection_trouble'
  | 'budget_reached'
  | 'step_limit'
  | 'fresh_start'
  | 'stopped'
  | 'help'
  | 'nothing_to_say';

/** `botName` is used by `help`; `reference`, a short id that the log holds too, by `connection_trouble`. */
export type NoticeDetails = {
  readonly botName?: string;
  readonly reference?: string;
  /** For `budget_reached`: whose is used up; the turn's when it is not said. */
  readonly budget?: 'turn' | 'session' | 'day';
  /** For `busy`: the message does not wait, it was turned away. */
  readonly rejected?: boolean;
};

/** What a command is answered with. */
export type CommandAnswer =
  | ({ readonly kind: 'status' } & StatusFacts)
  /** `dropped`: messages that waited and are not answered any more. */
  | { readonly kind: 'stopped' | 'stopping'; readonly dropped: number }
  | { readonly kind: 'nothing_to_stop' }
  /** `forgetting`: it goes on for a moment. */
  | { readonly kind: 'forgotten' | 'forgetting' }
  | { readonly kind: 'compacting' | 'nothing_to_compact' }
  | { readonly kind: 'model'; readonly model: string | null; readonly models: readonly string[] }
  | { readonly kind: 'model_set'; readonly model: string }
  | { readonly kind: 'no_such_model'; readonly models: readonly string[] }
  | { readonly kind: 'refused'; readonly command: CommandName; readonly who: Who }
  /** It was given while the server was away, and is not done. */
  | { readonly kind: 'late'; readonly command: CommandName };

/** A conversation as `/status` tells it. Durations in milliseconds, costs in US dollars. */
export type StatusFacts = {
  /** Null: the SDK's default. */
  readonly model: string | null;
  /** How long the turn that runs has run; null when none does. */
  readonly runningMs: number | null;
  readonly waiting: number;
  /** Null: nothing is remembered, the next message starts afresh. */
  readonly session: { readonly turnCount: number; readonly ageMs: number; readonly costUsd: number } | null;
  /** Its process is there, so that the next answer comes at once. */
  readonly isLive: boolean;
  /** What whoever asks has spent with this bot today. */
  readonly todayUsd: number;
  readonly maxSessionCostUsd: number | null;
  readonly maxUserDayCostUsd: number | null;
};

export type PromptVariable = 'current_date' | 'current_datetime' | 'user_name' | 'room_name';

export type Texts = {
  readonly notices: Readonly<Record<NoticeKind, (details: NoticeDetails) => string>>;
  readonly commands: {
    readonly [Kind in CommandAnswer['kind']]: (answer: Extract<CommandAnswer, { kind: Kind }>) => string;
  };
  /** What stands in a prompt for a variable: it varies, so the words point to where its value stands. */
  readonly promptWords: Readonly<Record<PromptVariable, string>>;
  /** For a bot file without a prompt. */
  readonly defaultPrompt: (bot: { readonly botName: string; readonly description: string }) => string;
};

const TEXTS: Readonly<Record<Language, Texts>> = { en, 'zh-CN': zhCN };

export function noticeText(kind: NoticeKind, language: Language, details: NoticeDetails = {}): string {
  return TEXTS[language].notices[kind](details);
}

export function commandText(answer: CommandAnswer, language: Language): string {
  // The compiler does not see that the text of a kind is asked with an answer of that kind.
  const textOf = TEXTS[language].commands[answer.kind] as (answer: CommandAnswer) => string;
  return textOf(answer);
}

export function defaultPrompt(
  language: Language,
  bot: { readonly botName: string; readonly description: string },
): string {
  return TEXTS[language].defaultPrompt(bot);
}

/**
 * `$current_date`, `${user_name}` and their like as fixed words. A lone `$` and unknown names stay as they are. The
 * result never changes by itself: the provider's prompt cache and the session's fingerprint depend on it.
 */
export function replaceVariables(prompt: string, language: Language): string {
  const words = TEXTS[language].promptWords;
  return prompt.replace(
    /\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/g,
    (whole, bare: string | undefined, braced: string | undefined) => {
      const name = bare ?? braced ?? '';
      return isVariable(name) ? words[name] : whole;
    },
  );
}

/** The language of a tag such as `zh-CN`, `zh_Hans` or `en-US`; null when there are no texts in it. */
export function toLanguage(tag: string): Language | null {
  const [primary] = tag.trim().toLowerCase().split(/[-_]/);
  if (primary === 'zh') return 'zh-CN';
  return primary === 'en' ? 'en' : null;
}

function isVariable(name: string): name is PromptVariable {
  return Object.hasOwn(en.promptWords, name);
}
