import { z } from 'zod';
import { type Policy, type Project, type ProjectToken, policySchema } from '../../projects/projects.ts';
import { toIso } from '../wire.ts';
import { toIsoOrNull } from './update-body.ts';

const NO_CONTROL_CHARACTERS = /^\P{Cc}+$/u;

/** For people; folders are named by the id. */
export const projectName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(NO_CONTROL_CHARACTERS, 'no control characters')
  .refine((name) => !/[/\\]/.test(name) && !/^\.+$/.test(name), 'a name is no path');

/** Whoever calls says who their users are. */
export const userName = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(NO_CONTROL_CHARACTERS, 'no control characters');

/** A change of some fields; they are checked together with those that stay. */
export const policyChange = z
  .partialRecord(policySchema.keyof(), z.unknown())
  .describe('The fields to change; the others stay as they are');

export function changePolicy(policy: Policy, change: Readonly<Record<string, unknown>>) {
  return policySchema.safeParse({ ...policy, ...change });
}

export const projectBody = z.object({
  id: z.string(),
  name: z.string(),
  owner_id: z.string(),
  state: z.enum(['active', 'frozen', 'deleting']),
  policy: policySchema,
  head: z.object({
    version: z.int().nullable().describe('Null: it has none yet'),
    commit: z.string().nullable().describe('Its commit, or a snapshot of changes made from outside since'),
    has_session: z.boolean().describe('The next update can go on from what its agent knew'),
  }),
  created_at: z.iso.datetime(),
  links: z.object({ self: z.string(), updates: z.string(), versions: z.string() }),
});

export function toProjectBody(project: Project): z.output<typeof projectBody> {
  const self = `/v1/projects/${project.id}`;
  return {
    id: project.id,
    name: project.name,
    owner_id: project.ownerId,
    state: project.state,
    policy: project.policy,
    head: {
      version: project.head.version,
      commit: project.head.commit,
      has_session: project.head.session !== null,
    },
    created_at: toIso(project.createdAt),
    links: { self, updates: `${self}/updates`, versions: `${self}/versions` },
  };
}

export const tokenBody = z.object({
  id: z.int(),
  project_id: z.string(),
  user_id: z.string().describe('Whom its holder acts as'),
  label: z.string(),
  created_at: z.iso.datetime(),
  revoked_at: z.iso.datetime().nullable(),
});

export function toTokenBody(token: ProjectToken): z.input<typeof tokenBody> {
  return {
    id: token.id,
    project_id: token.projectId,
    user_id: token.userId,
    label: token.label,
    created_at: toIso(token.createdAt),
    revoked_at: toIsoOrNull(token.revokedAt),
  };
}
