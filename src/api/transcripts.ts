import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { SessionRecord } from '../session/session.ts';
import { sendProblem } from './problems.ts';
import { sessionBody } from './session-body.ts';
import { keyParams, toKnownShape } from './sessions.ts';
import type { SessionViews, TranscriptPage } from './views.ts';

const MOST_ENTRIES = 1_000;
/** A page is cut before the entry that would make it larger; one entry always fits. */
const MOST_BYTES = 4 * 1024 * 1024;

const LINES = 'application/x-ndjson';

const page = z.object({
  key: z.string(),
  session_id: z.string(),
  state: sessionBody.shape.state,
  settled_entry: z.string().nullable().describe('uuid of the last entry of the last settled turn'),
  next: z.int().nullable().describe('`after` of the next page; null: this is the last one'),
  entries: z.array(z.looseObject({ type: z.string() })),
});

const route = {
  schema: {
    summary: "The transcript of a conversation's newest session, entry by entry",
    description: `Entries as the agent process wrote them, oldest first; those after \`settled_entry\` belong to an attempt that never settled. \`Accept: ${LINES}\` gives the entries alone, one a line; the next page is then in the \`Link\` header.`,
    params: keyParams,
    querystring: z.object({
      after: z.coerce.number().int().nonnegative().optional().describe('`next` of the page before'),
      limit: z.coerce.number().int().min(1).max(MOST_ENTRIES).default(200),
      subpath: z.string().min(1).max(500).optional().describe("A sub-agent's; without it, the main one"),
    }),
    response: { 200: page },
  },
};

/** Entries are stored as JSON and go out as they are stored: texts, which no serializer looks at. */
export function transcriptRoutes(deps: { readonly sessionViews: SessionViews }): FastifyPluginAsyncZod {
  const { sessionViews: views } = deps;
  return async (scope) => {
    scope.get('/api/sessions/:key/transcript', route, async (request, reply) => {
      const conversation = toKnownShape(request.params.key);
      const record = conversation === null ? null : await views.latest(conversation);
      if (record === null) return sendProblem(reply, 'unknown_conversation');
      const { after = null, limit, subpath = null } = request.query;
      const found = await views.transcript(record.sessionId, subpath, after, {
        entries: limit,
        bytes: MOST_BYTES,
      });
      const wantsLines = request.headers.accept?.includes(LINES) ?? false;
      return wantsLines ? sendLines(reply, found, request.url) : sendJson(reply, found, record);
    });
  };
}

function sendJson(reply: FastifyReply, page: TranscriptPage, record: SessionRecord): FastifyReply {
  const head = JSON.stringify({
    key: record.conversation,
    session_id: record.sessionId,
    state: record.state,
    settled_entry: record.settledEntry,
    next: page.next,
  });
  const body = `${head.slice(0, -1)},"entries":[${page.entries.join(',')}]}`;
  return reply.type('application/json; charset=utf-8').send(body);
}

function sendLines(reply: FastifyReply, page: TranscriptPage, address: string): FastifyReply {
  if (page.next !== null) {
    const next = new URL(address, 'http://localhost');
    next.searchParams.set('after', String(page.next));
    reply.header('Link', `<${next.pathname}${next.search}>; rel="next"`);
  }
  return reply.type(`${LINES}; charset=utf-8`).send(page.entries.map((entry) => `${entry}\n`).join(''));
}
