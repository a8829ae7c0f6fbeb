import { pino } from 'pino';
import type { Log } from './telemetry.ts';

/**
 * JSON lines, or pretty ones on a terminal. Field names that could hold a secret or room text are cut out whatever
 * their depth up to three; the rule stays that nobody logs them in the first place.
 */
export function makeLog(options: { readonly level: string; readonly pretty: boolean }): Log {
  const secrets = [
    'key',
    'bot_key',
    'token',
    'authorization',
    'cookie',
    'text',
    'body',
    'prompt',
    'path',
    'url',
    'env',
  ];
  return pino({
    level: options.level,
    base: null,
    redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    ...(options.pretty
      ? { transport: { target: 'pino-pretty', options: { translateTime: 'HH:MM:ss' } } }
      : {}),
  });
}
