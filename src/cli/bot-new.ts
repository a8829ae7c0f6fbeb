import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isBotId } from '../bots/bots.ts';
import { loadConfig } from '../config.ts';
import { type Command, UsageError } from './command.ts';

export const botNew: Command = {
  name: 'bot new',
  usage: 'ID [--name NAME] [--default]',
  summary: 'Writes a new bot file and its prompt into the first folder of BOTS_DIRS; overwrites nothing.',
  help: [
    '--name NAME  the name that people see (default: the id)',
    '--default  answers messages that name no bot',
  ],
  options: { name: { type: 'string' }, default: { type: 'boolean' } },
  positionals: 1,

  async run({ positionals, flags, texts }, deps) {
    const [id] = positionals;
    if (id === undefined) throw new UsageError('the bot needs an ID');
    if (!isBotId(id)) {
      throw new UsageError(
        `"${id}" is no bot ID: at most 64 letters, digits, "_", "-" and ".", no "-" or "." first`,
      );
    }
    const { config } = loadConfig(deps.cwd);
    const dir = config.botsDirs[0] ?? deps.cwd;
    const file = join(dir, `${id}.yaml`);
    const prompt = join(dir, 'prompts', `${id}.md`);
    const taken = [file, join(dir, `${id}.yml`), join(dir, `${id}.json`), prompt].filter((path) =>
      existsSync(path),
    );
    if (taken.length > 0) {
      if (flags.has('json')) deps.out(JSON.stringify({ ok: false, taken }));
      else deps.err(`Nothing was written: ${taken.join(', ')} is there already.`);
      return 1;
    }
    const name = texts.get('name') ?? id;
    mkdirSync(join(dir, 'prompts'), { recursive: true });
    // The prompt first: a bot file that a running server sees is complete.
    writeFileSync(prompt, promptOf(name), { flag: 'wx' });
    writeFileSync(file, botOf(id, name, flags.has('default')), { flag: 'wx' });
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, bot_id: id, files: [file, prompt] }));
    else deps.out(`Wrote ${file} and ${prompt}. A running server picks them up by itself.`);
    return 0;
  },
};

/** JSON strings are YAML strings: whatever the name holds, it stays one text. */
function botOf(id: string, name: string, isDefault: boolean): string {
  return `# Every field: docs/bots.md.
bot_id: ${JSON.stringify(id)}
name: ${JSON.stringify(name)}
description: ""
${isDefault ? 'default: true\n' : ''}system_prompt_file: ${JSON.stringify(`${id}.md`)}
tools:
  builtin: [Read, Grep, Glob, WebSearch, WebFetch]
# bot_key: the key that Campfire shows for this bot; BOT_KEY_… in the environment is over it.
`;
}

function promptOf(name: string): string {
  return `You are ${name}, a member of a team's chat.

- Answer first, briefly, in the language of the person who asks.
- When you do not know something, say so.
- What you are for, and what not: write it here.
`;
}
