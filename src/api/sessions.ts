import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { parseConversationKey } from '../base/conversation.ts';
import type { ConversationKey, SessionId } from '../base/terms.ts';
import type { TurnStore } from '../turn/turn.ts';
import type { CollectFacts } from './collect-stats.ts';
import { sendProblem } from './problems.ts';
import { sessionBody, toSessionBody } from './session-body.ts';
import type { SessionMark, SessionViews, Spent } from './views.ts';
import { toTurnBody, turnBody } from './wire.ts';

export type SessionRoutesDeps = {
  readonly sessionViews: SessionViews;
  readonly collectFacts: CollectFacts;
  readonly turns: Pick<TurnStore, 'recent'>;
  readonly clock: Clock;
};

const MOST_SESSIONS = 500;
const LAST_TURNS = 20;

/** A conversation's key, percent-encoded in the address. */
export const keyParams = z.object({ key: z.string().min(1) });

/** Null when the text is no conversation's key. */
export function toKnownShape(key: string): ConversationKey | null {
  // What parses is a key: it was made from these very parts.
  return parseConversationKey(key) === null ? null : (key as ConversationKey);
}

const page = z.object({
  sessions: z.array(sessionBody),
  next: z.string().nullable().describe('`before` of the next page; null: this is the last one'),
});

const one = sessionBody.extend({
  turns: z.array(turnBody).describe(`The newest ${LAST_TURNS}, newest first`),
  totals: z
    .object({
      attempts: z.int(),
      cost_usd: z.number(),
      input_tokens: z.int(),
      output_tokens: z.int(),
      cache_read_tokens: z.int(),
      cache_write_tokens: z.int(),
    })
    .describe("Of all the conversation's attempts, settled or not, in every session that it ever had"),
});

const listRoute = {
  schema: {
    summary: 'Conversations with a current session, newest use first',
    querystring: z.object({
      limit: z.coerce.number().int().min(1).max(MOST_SESSIONS).default(50),
      before: z.string().transform(readMark).optional().describe('`next` of the page before'),
    }),
    response: { 200: page },
  },
};

const oneRoute = {
  schema: {
    summary: 'One conversation: its newest session, last turns and totals',
    params: keyParams,
    response: { 200: one },
  },
};

/** Looking at sessions. */
export function sessionRoutes(deps: SessionRoutesDeps): FastifyPluginAsyncZod {
  const { sessionViews: views, collectFacts, turns, clock } = deps;
  return async (scope) => {
    scope.get('/api/sessions', listRoute, async (request) => {
      const { limit, before = null } = request.query;
      const records = await views.current(before, limit + 1);
      const facts = await collectFacts(records.slice(0, limit));
      const last = records.length > limit ? facts.at(-1) : undefined;
      const now = clock.now();
      return {
        sessions: facts.map((session) => toSessionBody(session, now)),
        next: last === undefined ? null : writeMark(last),
      };
    });

    scope.get('/api/sessions/:key', oneRoute, async (request, reply) => {
      const conversation = toKnownShape(request.params.key);
      const record = conversation === null ? null : await views.latest(conversation);
      if (record === null) return sendProblem(reply, 'unknown_conversation');
      const [[facts], newest, spent] = await Promise.all([
        collectFacts([record]),
        turns.recent(record.conversation, LAST_TURNS),
        views.spent(record.conversation),
      ]);
      if (facts === undefined) throw new Error('one record has one set of facts');
      return {
        ...toSessionBody(facts, clock.now()),
        turns: newest.map(toTurnBody),
        totals: toTotals(spent),
      };
    });
  };
}

function toTotals(spent: Spent): z.input<typeof one>['totals'] {
  return {
    attempts: spent.attempts,
    cost_usd: spent.costUsd,
    input_tokens: spent.inputTokens,
    output_tokens: spent.outputTokens,
    cache_read_tokens: spent.cacheReadTokens,
    cache_write_tokens: spent.cacheWriteTokens,
  };
}

function writeMark({ lastUsedAt, sessionId }: SessionMark): string {
  return `${lastUsedAt}.${sessionId}`;
}

function readMark(text: string, context: z.RefinementCtx): SessionMark {
  const [, lastUsedAt, sessionId] = /^(\d{1,16})\.([\w-]{1,100})$/.exec(text) ?? [];
  if (lastUsedAt !== undefined && sessionId !== undefined) {
    return { lastUsedAt: Number(lastUsedAt), sessionId: sessionId as SessionId };
  }
  context.addIssue({ code: 'custom', message: 'expected `next` of a page' });
  return z.NEVER;
}
