import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ConversationKey } from '../base/terms.ts';
import type { Queue } from '../queue/queue.ts';
import type { Forget } from './forget.ts';
import { type ProblemCode, sendProblem } from './problems.ts';
import { keyParams, toKnownShape } from './sessions.ts';
import type { SessionViews } from './views.ts';

/** `not-live`: no idle process serves the conversation; its memory is compacted where it lives, not in the store. */
export type CompactResult = 'compacted' | 'not-needed' | 'busy' | 'not-live' | 'failed' | 'not-available';

export type SteerDeps = {
  readonly sessionViews: Pick<SessionViews, 'isKnown'>;
  readonly forget: Pick<Forget, 'conversation'>;
  readonly queue: Pick<Queue, 'interrupt'>;
  /** Shortens what the conversation's live agent remembers. */
  readonly compact: (conversation: ConversationKey) => Promise<CompactResult>;
};

const done = z.object({ status: z.literal('success'), key: z.string() });

/** Each resolves with why it could not be done, or null. */
type Verb = (conversation: ConversationKey) => Promise<ProblemCode | null>;

/** Steering one conversation. */
export function steerRoutes(deps: SteerDeps): FastifyPluginAsyncZod {
  const verbs: Readonly<Record<string, { readonly summary: string; readonly run: Verb }>> = {
    reset: {
      summary: 'Forget the conversation: its running turn, memory, files and texts',
      async run(conversation) {
        await deps.forget.conversation(conversation);
        return null;
      },
    },
    compact: {
      summary: 'Shorten what the live agent of the conversation remembers',
      run: async (conversation) => COMPACT_PROBLEMS[await deps.compact(conversation)],
    },
    interrupt: {
      summary: 'Ask the running turn of the conversation to end',
      run: async (conversation) => (deps.queue.interrupt(conversation) ? null : 'not_running'),
    },
  };
  return async (scope) => {
    for (const [name, { summary, run }] of Object.entries(verbs)) {
      const schema = { summary, params: keyParams, response: { 200: done } };
      scope.post(`/api/sessions/:key/${name}`, { schema }, async (request, reply) => {
        const conversation = toKnownShape(request.params.key);
        if (conversation === null || !(await deps.sessionViews.isKnown(conversation)))
          return sendProblem(reply, 'unknown_conversation');
        const problem = await run(conversation);
        if (problem !== null) return sendProblem(reply, problem);
        return { status: 'success' as const, key: conversation };
      });
    }
  };
}

const COMPACT_PROBLEMS: Readonly<Record<CompactResult, ProblemCode | null>> = {
  compacted: null,
  'not-needed': null,
  busy: 'busy',
  'not-live': 'not_live',
  failed: 'compact_failed',
  'not-available': 'not_available',
};
