/** The checks of doctor: each looks at one thing and says what it found and what to do about it. */
import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, within } from '../base/clock.ts';
import { toError, unreachable } from '../base/errors.ts';
import type { Bot, Bots } from '../bots/bots.ts';
import type { Config } from '../config.ts';

export type Check = {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  /** What to do; null when there is nothing to do. */
  readonly advice: string | null;
};

/**
 * One agent started as the server would start it, asked one short question, ended with its whole family.
 * `detail` never holds a key.
 */
export type AgentProbe =
  | { readonly kind: 'answered' }
  | { readonly kind: 'not-started'; readonly detail: string }
  | { readonly kind: 'no-answer'; readonly detail: string };

/** What doctor asks of the app: only the app knows every part. */
export type DoctorChecks = { probeAgent(): Promise<AgentProbe> };

const LEAST_NODE = [22, 18] as const;
const CAMPFIRE_LIMIT_MS = 10_000;
const PROBE_LIMIT_MS = 120_000;

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const ok = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  return {
    name: 'Node',
    state: ok ? 'ok' : 'failed',
    detail: version,
    advice: ok ? null : `Use Node ${LEAST_NODE.join('.')} or newer; bin/firekeeper brings its own.`,
  };
}

/** Writes and removes a file, and the folder when it was missing: the only answer that counts, and no trace. */
export function checkDataDir(dataDir: string): Check {
  const name = 'Data folder';
  try {
    const made = mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const trial = join(dataDir, `doctor-${process.pid}`);
    writeFileSync(trial, '');
    rmSync(made ?? trial, { recursive: true });
    return { name, state: 'ok', detail: `${dataDir} is writable`, advice: null };
  } catch (error) {
    return {
      name,
      state: 'failed',
      detail: `${dataDir}: ${codeOf(error)}`,
      advice: 'Give the user that runs Firekeeper write access, or set DATA_DIR to another folder.',
    };
  }
}

/** Campfire's own files, where they are configured. */
export function checkCampfireFiles(config: Config): readonly Check[] {
  const paths = { CAMPFIRE_DB_PATH: config.campfireDbPath, CAMPFIRE_FILES_PATH: config.campfireFilesPath };
  return Object.entries(paths).flatMap(([name, path]): Check[] => {
    if (path === null) return [];
    try {
      accessSync(path, constants.R_OK);
      return [{ name, state: 'ok', detail: `${path} is readable`, advice: null }];
    } catch (error) {
      const advice = `Mount it and let the user that runs Firekeeper read it, or leave ${name} unset.`;
      return [{ name, state: 'failed', detail: `${path}: ${codeOf(error)}`, advice }];
    }
  });
}

/** Any answer below 500 is Campfire's web server; redirects (to its login page) are not followed. */
export async function checkCampfire(config: Config, clock: Clock): Promise<Check> {
  const name = 'Campfire';
  const url = config.campfireUrl;
  if (url === null) {
    const detail = 'not configured: the server is its own chat';
    return { name, state: 'ok', detail, advice: 'To answer in Campfire, set CAMPFIRE_URL.' };
  }
  const status = await statusOf(url, clock);
  const failed = (detail: string, advice: string): Check => ({ name, state: 'failed', detail, advice });
  if (typeof status === 'string') {
    return failed(`${url}: ${status}`, 'Check CAMPFIRE_URL, and that this machine reaches Campfire.');
  }
  if (status >= 500) return failed(`${url} answers ${status}`, 'Look at the log of Campfire.');
  if (status === 404) {
    return {
      name,
      state: 'warning',
      detail: `${url} answers 404`,
      advice: 'Check the path of CAMPFIRE_URL.',
    };
  }
  return { name, state: 'ok', detail: `${url} answers ${status}`, advice: null };
}

async function statusOf(url: string, clock: Clock): Promise<number | string> {
  const abort = new AbortController();
  try {
    const response = await within(
      clock,
      CAMPFIRE_LIMIT_MS,
      fetch(url, { redirect: 'manual', signal: abort.signal }),
    );
    if (response === 'timed-out') return `no answer in ${CAMPFIRE_LIMIT_MS / 1_000} s`;
    return response.status;
  } catch (error) {
    return codeOf(toError(error).cause ?? error);
  } finally {
    // The body is not read; this closes its connection too.
    abort.abort();
  }
}

/** Two lines of one probe: whether the Claude process starts, and whether the model answers it. */
export async function checkAgent(
  config: Config,
  checks: DoctorChecks | null,
  clock: Clock,
): Promise<readonly Check[]> {
  const [process, model] = ['Claude process', 'Model endpoint'];
  const line = (
    name: string,
    state: Check['state'],
    detail: string,
    advice: string | null = null,
  ): Check => ({
    name,
    state,
    detail,
    advice,
  });
  if (config.model.kind === 'none') {
    return [line(model, 'failed', 'no turn can run', `${config.model.reason}.`)];
  }
  if (checks === null) return [line(process, 'warning', 'not checked')];
  const where = config.model.kind === 'offline' ? 'the offline model' : 'the model';
  const probe = await within(clock, PROBE_LIMIT_MS, checks.probeAgent());
  if (probe === 'timed-out') {
    const detail = `no end in ${PROBE_LIMIT_MS / 1_000} s`;
    return [line(process, 'failed', detail, 'Try again; then look for what slows this machine down.')];
  }
  switch (probe.kind) {
    case 'answered':
      return [line(process, 'ok', 'starts and ends'), line(model, 'ok', `${where} answers`)];
    case 'not-started':
      return [
        line(
          process,
          'failed',
          probe.detail,
          'Install again (bin/start does); it needs about 400 MB of disk.',
        ),
      ];
    case 'no-answer':
      return [
        line(process, 'ok', 'starts and ends'),
        line(model, 'failed', probe.detail, 'Check the credential, ANTHROPIC_BASE_URL and proxies.'),
      ];
    default:
      return unreachable(probe);
  }
}

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

function codeOf(thrown: unknown): string {
  const error = toError(thrown);
  return 'code' in error ? String(error.code) : error.message;
}
