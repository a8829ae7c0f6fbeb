/** Who may give a bot which command: the words of a bot file, and what holds without them. */

/** What people may tell a bot beside messages; see `docs/commands.md`. */
export const COMMAND_NAMES = ['status', 'stop', 'reset', 'compact', 'model'] as const;
export type CommandName = (typeof COMMAND_NAMES)[number];

/** All of it false and empty: nobody. */
export type Who = {
  readonly everybody: boolean;
  /** Whoever had the conversation's last turn. */
  readonly author: boolean;
  readonly administrators: boolean;
  /** User ids. */
  readonly users: ReadonlySet<string>;
};

/** Whoever spends and forgets what others said answers for it; looking and stopping harm nobody. */
const BY_DEFAULT: Readonly<Record<CommandName, string | readonly string[]>> = {
  status: 'everybody',
  stop: 'everybody',
  reset: ['author', 'administrators'],
  compact: ['author', 'administrators'],
  model: ['author', 'administrators'],
};

export function chooseCommands(
  listed: Readonly<Partial<Record<CommandName, string | readonly string[]>>>,
): Readonly<Record<CommandName, Who>> {
  const whoOf = (name: CommandName): Who => toWho(listed[name] ?? BY_DEFAULT[name]);
  return {
    status: whoOf('status'),
    stop: whoOf('stop'),
    reset: whoOf('reset'),
    compact: whoOf('compact'),
    model: whoOf('model'),
  };
}

/** `nobody` is an empty list; any other text than the three words is a user's id. */
function toWho(listed: string | readonly string[]): Who {
  const words = typeof listed === 'string' ? [listed] : listed;
  const named = (word: string): boolean => words.includes(word);
  const users = words.filter((word) => !WORDS.includes(word));
  return {
    everybody: named('everybody'),
    author: named('author'),
    administrators: named('administrators'),
    users: new Set(users),
  };
}

const WORDS: readonly string[] = ['everybody', 'author', 'administrators', 'nobody'];
