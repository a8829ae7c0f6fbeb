/**
 * The environment as one frozen, checked Config. The only reader of `process.env` and of `.env`; everything else is
 * given what it needs. Names, defaults and what is allowed: `config/variables.ts`.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type ConfigLine, describeVariables, mask } from './config/describe.ts';
import { chooseModel, collectAgentEnv, fallbackWarnings } from './config/model.ts';
import { replaceRetired } from './config/retired.ts';
import { variables as schema, type Variables } from './config/variables.ts';

/** What defaults depend on beside the environment. */
export type Machine = {
  /** The container's limit where there is one, else the machine's memory. */
  readonly memoryMb: number;
  /** IANA name. */
  readonly timeZone: string;
};

export type Config = ReturnType<typeof toConfig>;
export type { ConfigLine } from './config/describe.ts';
export type { ModelChoice } from './config/model.ts';

/** One thing wrong; `read` is masked where it is, or may hold, a secret. */
export type ConfigProblem = { readonly variable: string; readonly read: string; readonly allowed: string };

/** Every problem at once, so that one start shows them all. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(
      ({ variable, read, allowed }) => `  ${variable}: read ${read}; allowed: ${allowed}`,
    );
    super(`the configuration is wrong:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type ReadConfig = { readonly config: Config; readonly warnings: readonly string[] };

/** The process's environment, over the `.env` of the working directory. Throws `ConfigError`. */
export function loadConfig(cwd: string): ReadConfig {
  return readConfig({ ...readEnvFile(join(cwd, '.env')), ...process.env }, cwd);
}

/** Where the person stands who gave the command: `bin/firekeeper` itself changes into the checkout. */
export function callersFolder(): string {
  return process.env.INIT_CWD || process.cwd();
}

/** Pure. An empty value counts as not set; relative paths start at `cwd`. Throws `ConfigError`. */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
  machine: Machine = thisMachine(),
): ReadConfig {
  const { env, warnings } = replaceRetired(dropEmpty(environment));
  const parsed = schema.safeParse(env);
  const wrong = (parsed.error?.issues ?? []).map((issue) =>
    toProblem(String(issue.path[0]), env, issue.message),
  );
  const problems = [...wrong, ...findContradictions(env, new Set(wrong.map(({ variable }) => variable)))];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  const config = toConfig(parsed.data, env, cwd, machine);
  return { config, warnings: [...warnings, ...fallbackWarnings(parsed.data)] };
}

/** The effective configuration, one line a variable, secrets masked. */
export function describeConfig(config: Config): readonly ConfigLine[] {
  return config.lines;
}

/** Loopback: reached from this machine only, and from no container. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/** RAM is what the agents may count on: what there is, less the server's own share. */
const SERVER_MB = 512;
const AGENT_MB = 300;
/** Below this a spare would take memory from conversations. */
const SPARE_FROM_MB = 4_096;

function toConfig(read: Variables, env: Readonly<Record<string, string>>, cwd: string, machine: Machine) {
  const agentMemoryBudgetMb =
    read.AGENT_MEMORY_BUDGET_MB ?? Math.max(AGENT_MB, Math.floor((machine.memoryMb - SERVER_MB) * 0.6));
  const maxHotSessions = read.MAX_HOT_SESSIONS ?? Math.max(1, Math.floor(agentMemoryBudgetMb / AGENT_MB));
  const spareAgents = read.SPARE_AGENTS ?? (machine.memoryMb < SPARE_FROM_MB ? 0 : 1);
  const timeZone = read.TIME_ZONE ?? machine.timeZone;
  const botKeys = withPrefix(env, 'BOT_KEY_');
  const effective: Variables = {
    ...read,
    AGENT_MEMORY_BUDGET_MB: agentMemoryBudgetMb,
    MAX_HOT_SESSIONS: maxHotSessions,
    SPARE_AGENTS: spareAgents,
    TIME_ZONE: timeZone,
  };
  const further = { ...botKeys, ...withPrefix(env, 'CLAUDE_CODE_USE_') };
  const dataDir = resolve(cwd, read.DATA_DIR);
  const optionalPath = (path: string | undefined) => (path === undefined ? null : resolve(cwd, path));

  return deepFreeze({
    host: read.HOST,
    /** 0: any free one. */
    port: read.PORT,
    /** Without a slash at its end. */
    publicUrl: read.PUBLIC_URL ?? null,
    dataDir,
    /** Null: SQLite in `dataDir`. */
    databaseUrl: read.DATABASE_URL ?? null,
    redisUrl: read.REDIS_URL ?? null,
    /** Without a slash at its end; null: the built-in room. */
    campfireUrl: read.CAMPFIRE_URL ?? null,
    campfireDbPath: optionalPath(read.CAMPFIRE_DB_PATH),
    campfireFilesPath: optionalPath(read.CAMPFIRE_FILES_PATH),
    botsDirs: read.BOTS_DIRS.map((dir) => resolve(cwd, dir)),
    botKey: read.BOT_KEY ?? null,
    /** By variable name, `BOT_KEY_<BOT_ID>`. */
    botKeys,
    webhookToken: read.WEBHOOK_TOKEN ?? null,
    /** Null: `readOrMakeSecret(join(dataDir, 'admin-token'))`. */
    adminToken: read.ADMIN_TOKEN ?? null,
    model: chooseModel(read, env),
    defaultModel: read.DEFAULT_MODEL,
    agentEnv: collectAgentEnv(env, read.TIME_ZONE),
    sessionTtlMs: hours(read.SESSION_TTL_HOURS),
    sessionMode: read.SESSION_MODE,
    sessionResume: read.SESSION_RESUME,
    sessionScope: read.SESSION_SCOPE,
    sessionCacheDir: optionalPath(read.SESSION_CACHE_DIR),
    maxHotSessions,
    agentMemoryBudgetMb,
    memoryMb: machine.memoryMb,
    /** Share of `memoryMb`. */
    memoryHighWatermark: read.MEMORY_HIGH_WATERMARK,
    spareAgents,
    rewarmSessions: read.REWARM_SESSIONS,
    turnTimeoutMs: seconds(read.TURN_TIMEOUT_SECONDS),
    stuckAfterMs: seconds(read.STUCK_AFTER_SECONDS),
    queueWaitMs: seconds(read.QUEUE_WAIT_SECONDS),
    messageMaxAgeMs: hours(read.MESSAGE_MAX_AGE_HOURS),
    drainMs: seconds(read.DRAIN_SECONDS),
    doubleTexting: read.DOUBLE_TEXTING,
    catchUpMs: hours(read.CATCH_UP_HOURS),
    floodLimits: toFloodLimits(read.FLOOD_LIMITS),
    retentionMs: hours(read.RETENTION_DAYS * 24),
    timeZone,
    /** Of bots whose file names no `default_language`. */
    language: languageOf(env),
    logLevel: read.LOG_LEVEL,
    projectResume: read.PROJECT_RESUME,
    projectsAtOnce: read.PROJECTS_AT_ONCE,
    lines: describeVariables(effective, new Set(Object.keys(env)), further),
  });
}

/** What no single variable can show; found beside any other problem, but not about a value that is wrong itself. */
function findContradictions(
  env: Readonly<Record<string, string>>,
  wrong: ReadonlySet<string>,
): readonly ConfigProblem[] {
  if (env.HOST === undefined || wrong.has('HOST')) return [];
  if (isLoopback(env.HOST) || env.WEBHOOK_TOKEN !== undefined) return [];
  return [
    {
      variable: 'WEBHOOK_TOKEN',
      read: 'nothing',
      allowed: `a secret of your choice: it is required because HOST (${env.HOST}) is not loopback`,
    },
  ];
}

/** Null: none but how many wait in all. */
function toFloodLimits(read: Variables['FLOOD_LIMITS']) {
  if (read === 'off') return null;
  const [user = 1, room = 1, bot = 1, waiting = 1] = read;
  return { perMinute: { user, room, bot }, waitingInConversation: waiting };
}

function toProblem(variable: string, env: Readonly<Record<string, string>>, allowed: string): ConfigProblem {
  const read = env[variable];
  if (read === undefined) return { variable, read: 'nothing', allowed };
  const masked = mask(variable, read);
  return { variable, read: masked === read ? JSON.stringify(read.slice(0, 200)) : masked, allowed };
}

function readEnvFile(file: string): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw new ConfigError([
      { variable: '.env', read: 'an unreadable file', allowed: 'a readable file, or none' },
    ]);
  }
}

function thisMachine(): Machine {
  const machine = totalmem();
  // Without a limit this is 0 or a number larger than any machine.
  const container = process.constrainedMemory();
  const bytes = container > 0 && container < machine ? container : machine;
  return {
    memoryMb: Math.floor(bytes / 1024 / 1024),
    timeZone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

function dropEmpty(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const trimmed = Object.entries(environment).map(([name, value]) => [name, value?.trim() ?? ''] as const);
  return Object.fromEntries(trimmed.filter(([, value]) => value !== ''));
}

function withPrefix(env: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith(prefix)));
}

function languageOf(env: Readonly<Record<string, string>>): 'en' | 'zh-CN' {
  return /^zh\b|^zh_/i.test(env.LC_ALL ?? env.LC_MESSAGES ?? env.LANG ?? '') ? 'zh-CN' : 'en';
}

function seconds(value: number): number {
  return Math.round(value * 1_000);
}

function hours(value: number): number {
  return Math.round(value * 3_600_000);
}

function deepFreeze<Value extends object>(value: Value): Readonly<Value> {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part);
  return Object.freeze(value);
}
