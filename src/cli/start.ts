import type { Command } from './command.ts';

export const start: Command = {
  name: 'start',
  usage: '',
  summary: 'Runs the server until it is told to stop (Ctrl+C or SIGTERM).',
  help: [],
  options: {},
  positionals: 0,

  async run(_input, deps) {
    return (await deps.start()) === 0 ? 0 : 1;
  },
};
