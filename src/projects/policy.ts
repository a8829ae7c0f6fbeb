import { z } from 'zod';

const percent = z.number().min(0).max(100);
const seconds = z.number().positive().max(86_400);

/** A program and its arguments; never a shell line. */
const verification = z.strictObject({
  /** What people read, such as `lint`. */
  name: z.string().trim().min(1).max(40),
  command: z.array(z.string().min(1).max(1_000)).min(1).max(50),
  timeout_seconds: seconds.default(300),
});

/**
 * What a project allows and wants; every field has a default, so that `{}` is a policy. Field names are those of the
 * API, which shows and takes it as it is.
 */
export const policySchema = z.strictObject({
  /** `off`: every update starts a session of its own. The server's `PROJECT_RESUME=off` is stronger. */
  resume: z.enum(['on', 'off']).default('on'),
  /** Share of updates that start fresh so that resuming can be compared with it. */
  holdout_percent: percent.default(0),
  /** A session that rested longer is not resumed. */
  max_age_hours: z.number().positive().max(8_760).default(24),
  max_failures: z.int().min(1).max(100).default(2),
  /** Share of tracked files changed since the session saw them above which it is not resumed; 0: never mind. */
  drift_percent: percent.default(40),
  /** `true`: a session of another version of the agent, or of another model, is not resumed. */
  strict_agent: z.boolean().default(false),
  /** `user`: nobody goes on in a session that somebody else began. */
  session_scope: z.enum(['project', 'user']).default('project'),
  compact_above_tokens: z.int().min(1_000).nullable().default(60_000),
  /** A session that fills more of the model's context is not resumed. */
  max_context_tokens: z.int().min(1_000).default(150_000),
  model: z.string().min(1).max(200).nullable().default(null),
  /** Said to the agent besides our own words about projects. */
  instructions: z.string().max(20_000).default(''),
  /** Built-in tools; those that this server does not give are left out. */
  tools: z.array(z.string().min(1).max(100)).max(50).default(['Read', 'Write', 'Edit', 'Glob', 'Grep']),
  verify: z.array(verification).max(20).default([]),
  /** `true`: where this host has no sandbox the commands run without one. */
  verify_unsandboxed: z.boolean().default(false),
  /** How often the agent may mend what the commands found. */
  fix_turns: z.int().min(0).max(10).default(2),
  recommendations: z.boolean().default(true),
  documentation: z.boolean().default(false),
  max_update_cost_usd: z.number().positive().max(10_000).default(5),
  max_steps: z.int().min(1).max(1_000).default(100),
  edit_timeout_seconds: seconds.default(1_200),
});

export type Policy = z.infer<typeof policySchema>;
export type Verification = Policy['verify'][number];

export const DEFAULT_POLICY: Policy = policySchema.parse({});
