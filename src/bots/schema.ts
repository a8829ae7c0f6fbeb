/**
 * The one schema of bot files, JSON or YAML: the predecessor's field names and ours. Fields without effect are in it
 * so that old files load; `fields.ts` says which they are. `docs/bots.md` is checked against this file by a test.
 */
import { z } from 'zod';
import { COMMAND_NAMES } from './commands.ts';

/** A year of idling; whoever wants more means `never`. */
const MOST_TTL_MS = 366 * 86_400_000;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds; null for `never`. */
const duration = z.string().transform((read, context): number | null => {
  if (read.trim() === 'never') return null;
  const [, amount, unit] = /^\s*(\d+\.?\d*|\.\d+)\s*([smhd])\s*$/.exec(read) ?? [];
  const ms = Math.round(Number(amount) * (UNITS[unit ?? ''] ?? Number.NaN));
  if (ms > 0 && ms <= MOST_TTL_MS) return ms;
  context.addIssue({ code: 'custom', message: 'allowed: a duration such as 90s, 5m, 6h, 2d, or never' });
  return z.NEVER;
});

/** Ids come as numbers from YAML; they are opaque texts to us. */
const id = z.union([z.string().min(1), z.int()]).transform(String);

/** Safe in an address, in a file's name and in a variable's. */
export function isBotId(value: string): boolean {
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,63}$/u.test(value);
}

const botId = id.refine(isBotId, {
  error: 'allowed: at most 64 letters, digits, "_", "-" and ".", the first a letter, a digit or "_"',
});

/** Refused by shape only: the key itself never stands in a message. */
const botKey = z.string().refine((value) => /^[^\s/?#]+$/.test(value), {
  error: 'allowed: the bot key as Campfire shows it, such as 3-… , without spaces and slashes',
});

/** Names that would undo what the server itself sets for an agent: its owner, its home, its endpoint and credential. */
const OURS =
  /^(FIREKEEPER_.*|ANTHROPIC_.*|CLAUDE_CONFIG_DIR|CLAUDE_CODE_USE_.*|CLAUDE_CODE_OAUTH_TOKEN|HOME|LD_.*|DYLD_.*|NODE_OPTIONS)$/;

const envName = z.string().refine((name) => /^[A-Za-z_]\w*$/.test(name) && !OURS.test(name), {
  error: 'allowed: a variable name that the server does not set itself',
});
const envValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const mcpServer = z.union([
  z.looseObject({
    type: z.literal('stdio').optional(),
    command: z.string().min(1),
    args: z.array(z.string()).optional(),
    env: z.record(z.string(), z.string()).optional(),
  }),
  z.looseObject({
    type: z.enum(['http', 'sse']),
    url: z.url({ protocol: /^https?$/ }),
    headers: z.record(z.string(), z.string()).optional(),
  }),
]);

/** Who may give a command. */
const who = z.union([z.enum(['everybody', 'nobody', 'author', 'administrators']), z.array(id)], {
  error: 'allowed: everybody, nobody, author, administrators, or a list of the last two and of user ids',
});

const names = z.array(z.string().min(1));
const amountUsd = z.number().positive().optional();

export const botFile = z.strictObject({
  bot_id: botId.prefault('default'),
  bot_key: botKey.optional(),
  name: z.string().min(1).optional(),
  display_name: z.string().min(1).optional(),
  description: z.string().optional(),
  default: z.boolean().optional(),
  default_language: z.string().optional(),

  model_config: z
    .strictObject({
      model: z.string().min(1).optional(),
      models: z.array(z.string().min(1)).optional(),
      thinking: z
        .strictObject({ enabled: z.boolean().optional(), budget_tokens: z.int().min(0).optional() })
        .optional(),
      temperature: z.unknown().optional(),
      max_tokens: z.unknown().optional(),
    })
    .optional(),
  system_prompt: z.string().optional(),
  system_prompt_file: z.string().min(1).optional(),

  tools: z.record(z.string(), names).optional(),
  tools_enabled: names.optional(),
  mcp_servers: z
    .union([names, z.record(z.string().regex(/^[\w-]{1,64}$/), mcpServer)], {
      error: 'allowed: a mapping of names to {command, args, env} or {type: http | sse, url, headers}',
    })
    .optional(),
  env: z.record(envName, envValue).optional(),

  session_scope: z.enum(['room', 'user']).optional(),
  session_ttl: duration.optional(),
  rooms: z.record(z.string(), z.strictObject({ session_ttl: duration.optional() })).optional(),
  double_texting: z.enum(['enqueue', 'merge', 'interrupt', 'reject']).optional(),
  turn_timeout_seconds: z.number().positive().max(604_800).optional(),
  limits: z
    .strictObject({
      max_steps: z.int().min(1).max(1_000).optional(),
      max_turn_cost_usd: amountUsd,
      max_session_cost_usd: amountUsd,
      max_cost_usd_per_user_per_day: amountUsd,
    })
    .optional(),
  progress: z.strictObject({ working: z.boolean().optional() }).optional(),
  allow_bots: z.boolean().optional(),
  allowed_rooms: z.array(id).optional(),
  allowed_users: z.array(id).optional(),
  commands: z.partialRecord(z.enum(COMMAND_NAMES), who).optional(),
  recap: z.boolean().optional(),
  compact_above_tokens: z.int().min(1).optional(),
  agents: z.unknown().optional(),

  model: z.unknown().optional(),
  languages: z.unknown().optional(),
  language: z.unknown().optional(),
  capabilities: z.unknown().optional(),
  settings: z.unknown().optional(),
  verification: z.unknown().optional(),
  knowledge_base: z.unknown().optional(),
  response_style: z.unknown().optional(),
  html_formatting: z.unknown().optional(),
});

export type BotFile = z.infer<typeof botFile>;
