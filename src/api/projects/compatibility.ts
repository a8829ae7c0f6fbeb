/** The predecessor's routes with its field names; what it invented (addresses, durations) is null or left out. */
import { randomUUID } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DEFAULT_POLICY, type Project, type Update } from '../../projects/projects.ts';
import { sendProblem } from '../problems.ts';
import { enqueueHeaders, makeEnqueue, refuseLongPrompt } from './enqueue.ts';
import { userName } from './project-body.ts';
import type { Door } from './project-routes.ts';
import { addressOf, MOST_PROMPT_BYTES } from './update-body.ts';

const BODY_LIMIT = 512 * 1024;
const FRAMEWORKS = { react: 'React', nextjs: 'Next.js', vue: 'Vue', svelte: 'Svelte' } as const;

const prompt = z.string().refine((text) => text.trim().length > 0, 'the prompt is empty');
const frameworks = z.enum(['react', 'nextjs', 'vue', 'svelte']);

/** `GET /v1/updates/<buildId>` tells more; `estimatedTime` is null because nobody knows. */
const answerBody = z.object({
  success: z.literal(true),
  jobId: z.string(),
  buildId: z.string(),
  projectId: z.string(),
  status: z.string(),
  message: z.string(),
  baseVersionId: z.string().nullable(),
  estimatedTime: z.null(),
});

const updateRoute = {
  bodyLimit: BODY_LIMIT,
  schema: {
    summary: "Queue an update, in the predecessor's words",
    description: '`framework` and `webhookUrl` are taken and not used. `Idempotency-Key` is optional here.',
    headers: enqueueHeaders,
    body: z.looseObject({ userId: userName, projectId: z.string().min(1).max(200), prompt }),
    response: { 200: answerBody },
  },
};

const createRoute = {
  bodyLimit: BODY_LIMIT,
  schema: {
    summary: "Make a project and queue its first update, in the predecessor's words",
    description: 'Each call makes a project, unless `projectId` names one.',
    headers: enqueueHeaders,
    body: z.looseObject({
      userId: userName,
      prompt,
      framework: frameworks.optional(),
      projectId: z.string().min(1).max(200).optional(),
    }),
    response: { 200: answerBody },
  },
};

type Asked = {
  readonly userId: string;
  readonly prompt: string;
  readonly headers: z.output<typeof enqueueHeaders>;
};

export function compatibilityRoutes(door: Door): FastifyPluginAsyncZod {
  const { projects, who } = door;
  const enqueue = makeEnqueue(door);

  async function queueUp(request: object, reply: FastifyReply, project: Project | null, asked: Asked) {
    if (project === null) return sendProblem(reply, 'unknown_project');
    const { userId, prompt } = asked;
    const headers = { 'idempotency-key': randomUUID(), ...asked.headers };
    const wish = { kind: 'update', prompt, options: {}, userId, headers } as const;
    const update = await enqueue(request, reply, project, wish);
    return update === null ? reply : toAnswer(update, project);
  }

  return async (scope) => {
    for (const address of ['/update-project', '/v1/update-project'])
      scope.post(address, updateRoute, async (request, reply) => {
        const { userId, projectId, prompt } = request.body;
        const project = await who.findProject(request, projectId);
        return queueUp(request, reply, project, { userId, prompt, headers: request.headers });
      });

    scope.post('/v1/create-preview-for-new-project', createRoute, async (request, reply) => {
      const { userId, prompt, framework, projectId } = request.body;
      const asked = { userId, prompt, headers: request.headers };
      if (projectId !== undefined)
        return queueUp(request, reply, await who.findProject(request, projectId), asked);
      if (who.callerOf(request).kind !== 'admin') return sendProblem(reply, 'admin_only');
      // Before there is a project that nobody asked for.
      if (Buffer.byteLength(prompt) > MOST_PROMPT_BYTES) return refuseLongPrompt(reply);
      const project = await projects.create({
        name: 'Untitled project',
        ownerId: userId,
        policy: { ...DEFAULT_POLICY, instructions: instructionsFor(framework) },
        importFrom: null,
      });
      return queueUp(request, reply, project, asked);
    });
  };
}

function instructionsFor(framework: z.output<typeof frameworks> | undefined): string {
  return framework === undefined ? '' : `The project uses ${FRAMEWORKS[framework]}.`;
}

function toAnswer(update: Update, project: Project): z.input<typeof answerBody> {
  const id = String(update.id);
  const version = project.head.version;
  return {
    success: true,
    jobId: id,
    buildId: id,
    projectId: project.id,
    status: update.status,
    message: `The update is ${update.status}; ${addressOf(update)} tells how it goes.`,
    baseVersionId: version === null ? null : String(version),
    estimatedTime: null,
  };
}
