import { COMMAND_NAMES, type CommandName } from '../bots/bots.ts';

/** `argument`: the model's name after `/model`; null without one. */
export type Command = { readonly name: CommandName; readonly argument: string | null };

/** A message that is exactly a command; null for every other, which is the model's to answer. */
export function parseCommand(text: string): Command | null {
  const [, word, argument = null] = /^\/([a-z]+)(?:\s+(\S{1,200}))?$/i.exec(text.trim()) ?? [];
  const name = COMMAND_NAMES.find((known) => known === word?.toLowerCase());
  if (name === undefined || (argument !== null && name !== 'model')) return null;
  return { name, argument };
}
