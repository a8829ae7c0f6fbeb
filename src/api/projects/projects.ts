import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { within } from '../../base/clock.ts';
import {
  ADMIN_USER,
  ImportRefused,
  type Project,
  type ProjectId,
  type Projects,
  policySchema,
} from '../../projects/projects.ts';
import { toPage } from '../pages.ts';
import { sendProblem } from '../problems.ts';
import {
  changePolicy,
  policyChange,
  projectBody,
  projectName,
  toProjectBody,
  userName,
} from './project-body.ts';
import type { Door } from './project-routes.ts';

const MOST_PROJECTS = 200;
/** A delete that takes longer, because an update ends first, goes on after it was answered. */
const DELETE_WAIT_MS = 2_000;

export const idParams = z.object({ id: z.string().min(1) });

const createRoute = {
  schema: {
    summary: 'Make a project, empty or from a git repository',
    body: z.strictObject({
      name: projectName,
      user_id: userName.optional().describe(`Who owns it; without it \`${ADMIN_USER}\``),
      policy: policySchema.prefault({}),
      import_from: z
        .string()
        .min(1)
        .max(2_000)
        .nullable()
        .default(null)
        .describe("An absolute path on the server's host, or an https address, of a git repository"),
    }),
    response: { 201: projectBody },
  },
};

/** For the administrator. */
export function createRoutes({ projects }: Door): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.post('/v1/projects', createRoute, async (request, reply) => {
      const { name, user_id, policy, import_from } = request.body;
      try {
        const project = await projects.create({
          name,
          ownerId: user_id ?? ADMIN_USER,
          policy,
          importFrom: import_from,
        });
        const body = toProjectBody(project);
        return await reply.code(201).header('Location', body.links.self).send(body);
      } catch (error) {
        if (error instanceof ImportRefused) return sendProblem(reply, 'import_refused', error.reason);
        throw error;
      }
    });
  };
}

const listRoute = {
  schema: {
    summary: 'Projects, in the order of their ids',
    querystring: z.object({
      limit: z.coerce.number().int().min(1).max(MOST_PROJECTS).default(50),
      after: z.string().min(1).optional().describe('`next` of the page before'),
    }),
    response: { 200: z.object({ projects: z.array(projectBody), next: z.string().nullable() }) },
  },
};

/** For the administrator. */
export function allProjectsRoutes({ projects }: Door): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.get('/v1/projects', listRoute, async (request) => {
      const { limit, after } = request.query;
      // Any text will do: a mark is only compared.
      const found = await projects.records.list((after as ProjectId | undefined) ?? null, limit + 1);
      const { page, next } = toPage(found, limit, ({ id }) => id);
      return { projects: page.map(toProjectBody), next };
    });
  };
}

const oneRoute = { schema: { summary: 'One project', params: idParams, response: { 200: projectBody } } };

const changeRoute = {
  schema: {
    summary: "Change a project's name, policy or state",
    description: 'A `frozen` project keeps what is queued and starts nothing.',
    params: idParams,
    body: z.strictObject({
      name: projectName.exactOptional(),
      policy: policyChange.optional(),
      state: z.enum(['active', 'frozen']).exactOptional(),
    }),
    response: { 200: projectBody },
  },
};

const deleteRoute = {
  schema: {
    summary: 'Delete a project: its files, its history, its sessions',
    description: 'A running update ends first. `deleted` says whether nothing is left of it already.',
    params: idParams,
    response: { 202: z.object({ id: z.string(), deleted: z.boolean() }) },
  },
};

export function oneProjectRoutes({ projects, who, clock }: Door): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.get('/v1/projects/:id', oneRoute, async (request) => toProjectBody(who.projectOf(request)));

    const forAdmin = { onRequest: who.requireAdmin };
    scope.patch('/v1/projects/:id', { ...changeRoute, ...forAdmin }, async (request, reply) => {
      const project = who.projectOf(request);
      if (project.state === 'deleting') return sendProblem(reply, 'project_busy');
      const change = readChange(project, request.body);
      if ('problem' in change) return sendProblem(reply, 'invalid_fields', change.problem);
      const after = await projects.records.change(project.id, change, 'operator');
      return after === null ? sendProblem(reply, 'unknown_project') : toProjectBody(after);
    });

    scope.delete('/v1/projects/:id', { ...deleteRoute, ...forAdmin }, async (request, reply) => {
      const { id } = who.projectOf(request);
      const ended = await within(clock, DELETE_WAIT_MS, projects.delete(id));
      return reply.code(202).send({ id, deleted: ended !== 'timed-out' });
    });
  };
}

/** What is not given stays; a policy is checked as a whole. */
function readChange(project: Project, given: z.output<typeof changeRoute.schema.body>): Change {
  const { policy: fields, ...rest } = given;
  if (fields === undefined) return rest;
  const policy = changePolicy(project.policy, fields);
  return policy.success ? { ...rest, policy: policy.data } : { problem: z.prettifyError(policy.error) };
}
type Change = Parameters<Projects['records']['change']>[1] | { readonly problem: string };
