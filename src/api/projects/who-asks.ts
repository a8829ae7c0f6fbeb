import { hash, randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  ADMIN_USER,
  type Project,
  type ProjectId,
  type Projects,
  type ProjectToken,
  type Update,
  type UpdateId,
} from '../../projects/projects.ts';
import { bearerIn, type Login, PROJECT_TOKEN, refuseLogin } from '../login.ts';
import { type ProblemCode, sendProblem } from '../problems.ts';

export type Caller =
  | { readonly kind: 'admin' }
  /** Good for one project, as one user. */
  | { readonly kind: 'token'; readonly token: ProjectToken };

/** A request as a key: what the hooks learned of it is kept as long as it lives. */
type Request = object;

/**
 * Who asks, and for what: hooks that answer before a body is read, and what they found. A project, update or version
 * that is not the caller's is answered like one that does not exist.
 */
export type WhoAsks = {
  /** `onRequest`: 401 unless the caller has the admin token, a login cookie, or a live project token. */
  identify(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined>;
  /** Whether what the caller came with is still good: a token is revoked while its stream is open, a login ends. */
  isStillIn(request: FastifyRequest): Promise<boolean>;
  /** `onRequest` behind `identify`: 403 for project tokens. */
  requireAdmin(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined>;
  /** `onRequest` behind `identify`, of routes with a project's `:id`. */
  requireProject(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined>;
  /** `onRequest` behind `identify`, of routes with an update's `:id`. */
  requireUpdate(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined>;
  /** The caller's project with this id, if there is one. */
  findProject(request: Request, id: string): Promise<Project | null>;
  /** Whom the request acts as: a token as its own user, the administrator as any who may write. */
  actAs(request: Request, project: Project, given: string | undefined): Promise<Acting>;
  callerOf(request: Request): Caller;
  projectOf(request: Request): Project;
  updateOf(request: Request): Update;
};

export type Acting = { readonly userId: string } | { readonly problem: ProblemCode };

export function makeWhoAsks(deps: {
  readonly login: Pick<Login, 'check' | 'isStillIn'>;
  readonly projects: Pick<Projects, 'records' | 'updates'>;
}): WhoAsks {
  const { records, updates } = deps.projects;
  const callers = new WeakMap<Request, Caller>();
  const projects = new WeakMap<Request, Project>();
  const found = new WeakMap<Request, Update>();

  function callerOf(request: Request): Caller {
    return known(callers, request);
  }
  function isTheirs(request: Request, project: ProjectId): boolean {
    const caller = callerOf(request);
    return caller.kind === 'admin' || caller.token.projectId === project;
  }
  async function findProject(request: Request, id: string): Promise<Project | null> {
    // Any text will do: what is no id belongs to no project.
    const project = id as ProjectId;
    return isTheirs(request, project) ? records.get(project) : null;
  }

  return {
    async identify(request, reply) {
      const given = projectTokenIn(request);
      if (given === null) {
        const result = deps.login.check(request);
        if (result !== 'logged-in') return refuseLogin(reply, result);
        callers.set(request, { kind: 'admin' });
        return undefined;
      }
      // Nobody guesses 32 random bytes, so wrong ones are not counted: that would lock out who shares the address.
      const token = await records.findToken(hashToken(given));
      if (token === null) {
        reply.header('WWW-Authenticate', 'Bearer');
        return sendProblem(reply, 'wrong_project_token');
      }
      callers.set(request, { kind: 'token', token });
      return undefined;
    },

    async isStillIn(request) {
      const given = projectTokenIn(request);
      return given === null
        ? deps.login.isStillIn(request)
        : (await records.findToken(hashToken(given))) !== null;
    },

    async requireAdmin(request, reply) {
      return callerOf(request).kind === 'admin' ? undefined : sendProblem(reply, 'admin_only');
    },

    async requireProject(request, reply) {
      const project = await findProject(request, idIn(request));
      if (project === null) return sendProblem(reply, 'unknown_project');
      projects.set(request, project);
      return undefined;
    },

    async requireUpdate(request, reply) {
      const id = toUpdateId(idIn(request));
      const update = id === null ? null : await updates.get(id);
      if (update === null || !isTheirs(request, update.projectId))
        return sendProblem(reply, 'unknown_update');
      found.set(request, update);
      return undefined;
    },

    findProject,

    async actAs(request, project, given) {
      const caller = callerOf(request);
      if (caller.kind === 'token') {
        const { userId } = caller.token;
        return given === undefined || given === userId ? { userId } : { problem: 'foreign_user' };
      }
      const userId = given ?? ADMIN_USER;
      // The update would fail for anybody else when it is claimed.
      return (await records.mayWrite(project.id, userId)) ? { userId } : { problem: 'foreign_user' };
    },

    callerOf,
    projectOf: (request) => known(projects, request),
    updateOf: (request) => known(found, request),
  };
}

/** `token` is shown once; its hash is what is kept. */
export function newProjectToken(): { readonly token: string; readonly hash: string } {
  const token = `fkp_${randomBytes(32).toString('base64url')}`;
  return { token, hash: hashToken(token) };
}

function hashToken(token: string): string {
  return hash('sha256', token, 'hex');
}

function projectTokenIn(request: FastifyRequest): string | null {
  const token = bearerIn(request);
  return token !== null && PROJECT_TOKEN.test(token) ? token : null;
}

/** Hooks of `onRequest` come before the address is checked, and only stand on routes that have an `:id`. */
function idIn({ params }: FastifyRequest): string {
  return (params as { readonly id: string }).id;
}

function toUpdateId(text: string): UpdateId | null {
  return /^[1-9]\d{0,14}$/.test(text) ? (Number(text) as UpdateId) : null;
}

function known<Value>(values: WeakMap<Request, Value>, request: Request): Value {
  const value = values.get(request);
  if (value === undefined) throw new Error('a route stands outside the hook that it needs');
  return value;
}
