/** What a room reads beside replies, in the bot's language: one file per language. Markdown. */
import type { Language } from './bots.ts';
import { en } from './texts/en.ts';
import { zhCN } from './texts/zh-CN.ts';

/** Every kind of outbox row but the reply itself. */
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
export type NoticeDetails = { readonly botName?: string; readonly reference?: string };

export type PromptVariable = 'current_date' | 'current_datetime' | 'user_name' | 'room_name';

export type Texts = {
  readonly notices: Readonly<Record<NoticeKind, (details: NoticeDetails) => string>>;
  /** What stands in a prompt for a variable: it varies, so the words point to where its value stands. */
  readonly promptWords: Readonly<Record<PromptVariable, string>>;
  /** For a bot file without a prompt. */
  readonly defaultPrompt: (bot: { readonly botName: string; readonly description: string }) => string;
};

const TEXTS: Readonly<Record<Language, Texts>> = { en, 'zh-CN': zhCN };

export function noticeText(kind: NoticeKind, language: Language, details: NoticeDetails = {}): string {
  return TEXTS[language].notices[kind](details);
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
