import type { Bot, Bots } from '../bots/bots.ts';
import type { Check } from './doctor-checks.ts';

/** One line a bot, with the tools that it really has, and one for each thing wrong. */
export function checkBots(bots: Bots, campfire: boolean): readonly Check[] {
  const found = bots.all().map((bot) => checkBot(bot, campfire));
  const problems = bots.problems().map(({ severity, file, field, reason }): Check => {
    const state = severity === 'error' ? 'failed' : 'warning';
    return {
      name: 'Bot file',
      state,
      detail: `${file}${field === null ? '' : `, ${field}`}: ${reason}`,
      advice: null,
    };
  });
  const none: Check[] =
    found.length > 0
      ? []
      : [
          {
            name: 'Bots',
            state: 'failed',
            detail: 'none is usable',
            advice: 'Put right what is listed below.',
          },
        ];
  const choice: Check[] =
    found.length > 0 && bots.default() === null
      ? [
          {
            name: 'Bots',
            state: 'warning',
            detail: 'none is the default',
            advice: 'Set default: true in one of them, or address each webhook to its bot.',
          },
        ]
      : [];
  return [...none, ...found, ...choice, ...problems];
}

function checkBot(bot: Bot, campfire: boolean): Check {
  const tools = [...bot.builtinTools, ...Object.keys(bot.mcpServers).map((name) => `mcp:${name}`)];
  const parts = [
    `${bot.name}${bot.isDefault ? ' (default)' : ''}`,
    `model ${bot.model ?? "the SDK's default"}`,
    `tools ${tools.join(' ') || 'none'}`,
    ...(campfire ? [bot.key === null ? 'key learned from its first webhook' : 'key set'] : []),
  ];
  return { name: `Bot ${bot.id}`, state: 'ok', detail: parts.join(', '), advice: null };
}
