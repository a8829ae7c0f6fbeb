import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { unreachable } from '../../base/errors.ts';
import type {
  EnqueueOutcome,
  Project,
  Update,
  UpdateKind,
  UpdateOptions,
  VersionNo,
} from '../../projects/projects.ts';
import { sendProblem } from '../problems.ts';
import type { Door } from './project-routes.ts';
import { MOST_PROMPT_BYTES, toUpdateBody } from './update-body.ts';

const MOST_KEY_CHARACTERS = 128;
/** A guess: an update takes about so long. */
const FULL_RETRY_AFTER_S = 30;

/** Of every call that queues something. Others pass, for they are read elsewhere. */
export const enqueueHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .optional()
    .describe('Needed, 1 to 128 characters: the same key with the same request gives the same update'),
  'if-match': z
    .string()
    .regex(/^(\*|"v[1-9]\d{0,8}")$/, 'as in "v12"')
    .optional()
    .describe('The version that the update must start from, such as `"v12"`'),
});

const NO_OPTIONS: UpdateOptions = {
  resume: 'auto',
  expectedVersion: null,
  restoreVersion: null,
  recommendations: null,
  documentation: null,
  compact: 'auto',
};

/** What a route was asked for; who asks and for which project is known already. */
export type Wish = {
  readonly kind: UpdateKind;
  readonly prompt: string | null;
  readonly options: Partial<Omit<UpdateOptions, 'expectedVersion'>>;
  /** Whom the caller names to act as. */
  readonly userId: string | undefined;
  readonly headers: z.output<typeof enqueueHeaders>;
};

/** The queued update; null: it was refused, and the reply says why. */
export type Enqueue = (
  request: object,
  reply: FastifyReply,
  project: Project,
  wish: Wish,
) => Promise<Update | null>;

export function makeEnqueue({ projects, who }: Pick<Door, 'projects' | 'who'>): Enqueue {
  return async (request, reply, project, wish) => {
    const key = readKey(wish.headers);
    if (key === null) return refuse(sendProblem(reply, 'idempotency_key_missing'));
    if (Buffer.byteLength(wish.prompt ?? '') > MOST_PROMPT_BYTES) return refuse(refuseLongPrompt(reply));
    const acting = await who.actAs(request, project, wish.userId);
    if ('problem' in acting) return refuse(sendProblem(reply, acting.problem));
    const { kind, prompt } = wish;
    const options = { ...NO_OPTIONS, ...wish.options, expectedVersion: readExpectedVersion(wish.headers) };
    const outcome = await projects.enqueue({
      projectId: project.id,
      userId: acting.userId,
      kind,
      prompt,
      options,
      idempotencyKey: key,
      digest: digestOf([kind, acting.userId, prompt], options),
    });
    return 'update' in outcome ? outcome.update : refuse(refuseEnqueue(reply, outcome));
  };
}

/** A reply that was sent is no update. */
function refuse(_reply: FastifyReply): null {
  return null;
}

export function sendQueued(reply: FastifyReply, update: Update): FastifyReply {
  const body = toUpdateBody(update);
  return reply.code(202).header('Location', body.links.self).send(body);
}

export function refuseLongPrompt(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 'too_large', `the prompt is longer than ${MOST_PROMPT_BYTES / 1_024} KiB`);
}

/** Null: it is missing, or too long. */
function readKey(headers: Wish['headers']): string | null {
  const key = headers['idempotency-key']?.trim() ?? '';
  return key.length === 0 || key.length > MOST_KEY_CHARACTERS ? null : key;
}

function readExpectedVersion(headers: Wish['headers']): VersionNo | null {
  const [, version] = /^"v(\d+)"$/.exec(headers['if-match'] ?? '') ?? [];
  return version === undefined ? null : Number(version);
}

/** Whoever asks for the same by the same key asks for one update; what makes it another one is in here. */
function digestOf(wish: readonly unknown[], options: UpdateOptions): string {
  const sorted = Object.entries(options).sort(([one], [other]) => (one < other ? -1 : 1));
  return hash('sha256', JSON.stringify([...wish, sorted]), 'hex');
}

type Refusal = Exclude<EnqueueOutcome, { readonly update: unknown }>;

function refuseEnqueue(reply: FastifyReply, refusal: Refusal): FastifyReply {
  switch (refusal.kind) {
    case 'conflict':
      return sendProblem(reply, 'idempotency_conflict');
    case 'frozen':
      return sendProblem(reply, 'project_frozen');
    case 'unknown_project':
      return sendProblem(reply, 'unknown_project');
    case 'full':
      reply.header('Retry-After', String(FULL_RETRY_AFTER_S));
      return sendProblem(reply, 'queue_full', undefined, { retry_after_s: FULL_RETRY_AFTER_S });
    case 'version_mismatch': {
      const { head } = refusal;
      const now = head === null ? 'the project has no version yet' : `the latest version is ${head}`;
      return sendProblem(reply, 'version_mismatch', now, { head_version: head });
    }
    default:
      return unreachable(refusal);
  }
}
