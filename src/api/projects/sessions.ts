import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AuditEntry, ProjectSession, ResumeForecast } from '../../projects/projects.ts';
import { toPage } from '../pages.ts';
import { sendProblem } from '../problems.ts';
import { secondsBetween, toIso } from '../wire.ts';
import { enqueueHeaders, makeEnqueue, sendQueued } from './enqueue.ts';
import type { Door } from './project-routes.ts';
import { idParams } from './projects.ts';
import { updateBody } from './update-body.ts';
import { actorBody } from './updates.ts';

const MOST_ENTRIES = 500;
const optionalActor = z.strictObject(actorBody).nullish();

const sessionBody = z.object({
  state: z.enum(['provisional', 'active', 'superseded', 'lost', 'quarantined', 'expired', 'deleted']),
  origin: z.enum(['edit', 'compact', 'side']),
  descends: z.boolean().describe('It went on from another one'),
  agent_version: z.string(),
  model: z.string().nullable(),
  context_tokens: z.int().nullable(),
  failures: z.int().describe('Resumes of it that failed'),
  created_by: z.string(),
  age_seconds: z.number(),
  idle_seconds: z.number(),
});

const showRoute = {
  schema: {
    summary: 'The session that the next update would go on from, and whether it would',
    params: idParams,
    response: {
      200: z.object({
        session: sessionBody.nullable(),
        next: z
          .object({
            decision: z.enum(['resume', 'fresh']),
            reason: z.string(),
            age_ms: z.number().nullable(),
            context_tokens: z.int().nullable(),
            failures: z.int(),
          })
          .describe('As things stand'),
      }),
    },
  },
};

const resetRoute = {
  schema: {
    summary: 'Give the session up: the next update starts fresh',
    params: idParams,
    body: optionalActor,
    response: { 200: z.object({ status: z.literal('success'), project_id: z.string() }) },
  },
};

const compactRoute = {
  schema: {
    summary: 'Queue a compaction: the agent shortens what it remembers',
    params: idParams,
    headers: enqueueHeaders,
    body: optionalActor,
    response: { 202: updateBody },
  },
};

const entryBody = z.object({
  id: z.int(),
  at: z.iso.datetime(),
  actor: z.enum(['user', 'server', 'operator']),
  user_id: z.string().nullable(),
  update_id: z.int().nullable(),
  event: z.string(),
  reason: z.string().nullable(),
});

const auditRoute = {
  schema: {
    summary: 'What was done with the sessions of a project and why, oldest first',
    params: idParams,
    querystring: z.object({
      limit: z.coerce.number().int().min(1).max(MOST_ENTRIES).default(100),
      after: z.coerce.number().int().min(0).default(0).describe('`next` of the page before'),
    }),
    response: { 200: z.object({ entries: z.array(entryBody), next: z.int().nullable() }) },
  },
};

/** The session of a project's head. Its id is the agent's own and is never told. */
export function sessionRoutes(door: Door): FastifyPluginAsyncZod {
  const { projects, who, clock } = door;
  const { records } = projects;
  const enqueue = makeEnqueue(door);
  return async (scope) => {
    scope.get('/v1/projects/:id/session', showRoute, async (request) => {
      const project = who.projectOf(request);
      const { session: id } = project.head;
      const [session, next] = await Promise.all([
        id === null ? null : records.session(project.id, id),
        projects.nextDecision(project),
      ]);
      return {
        session: session === null ? null : toSessionBody(session, clock.now()),
        next: toForecastBody(next),
      };
    });

    scope.post('/v1/projects/:id/session/reset', resetRoute, async (request, reply) => {
      const project = who.projectOf(request);
      const acting = await who.actAs(request, project, request.body?.user_id);
      if ('problem' in acting) return sendProblem(reply, acting.problem);
      const isReset = await records.resetSession(project.id, acting.userId);
      if (!isReset) return sendProblem(reply, 'project_busy');
      return { status: 'success' as const, project_id: project.id };
    });

    scope.post('/v1/projects/:id/session/compact', compactRoute, async (request, reply) => {
      const update = await enqueue(request, reply, who.projectOf(request), {
        kind: 'compact',
        prompt: null,
        options: {},
        userId: request.body?.user_id,
        headers: request.headers,
      });
      return update === null ? reply : sendQueued(reply, update);
    });

    scope.get('/v1/projects/:id/session/audit', auditRoute, async (request) => {
      const { after, limit } = request.query;
      const found = await records.audit(who.projectOf(request).id, after, limit + 1);
      const { page, next } = toPage(found, limit, ({ id }) => id);
      return { entries: page.map(toEntryBody), next };
    });
  };
}

function toSessionBody(session: ProjectSession, now: number): z.input<typeof sessionBody> {
  return {
    state: session.state,
    origin: session.origin,
    descends: session.parentId !== null,
    agent_version: session.agentVersion,
    model: session.model,
    context_tokens: session.contextTokens,
    failures: session.failures,
    created_by: session.createdBy,
    age_seconds: secondsBetween(session.createdAt, now),
    idle_seconds: secondsBetween(session.lastUsedAt, now),
  };
}

function toForecastBody({ decision, reason, ageMs, contextTokens, failures }: ResumeForecast) {
  return { decision, reason, age_ms: ageMs, context_tokens: contextTokens, failures };
}

function toEntryBody(entry: AuditEntry): z.input<typeof entryBody> {
  return {
    id: entry.id,
    at: toIso(entry.at),
    actor: entry.actor,
    user_id: entry.userId,
    update_id: entry.updateId,
    event: entry.event,
    reason: entry.reason,
  };
}
