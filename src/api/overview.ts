import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ConversationKey } from '../base/terms.ts';
import type { Bots } from '../bots/bots.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TurnStore } from '../turn/turn.ts';
import { toTurnBody, turnBody } from './wire.ts';

const MOST_TURNS = 500;

const botsBody = z.object({
  bots: z.array(
    z.object({
      bot_id: z.string(),
      name: z.string(),
      description: z.string(),
      is_default: z.boolean(),
      model: z.string().nullable(),
      tools: z.array(z.string()),
      language: z.string(),
    }),
  ),
  problems: z.array(
    z.object({
      severity: z.enum(['error', 'warning']),
      file: z.string(),
      field: z.string().nullable(),
      reason: z.string(),
    }),
  ),
});

/** What the server is and did: metrics, bots, turns. */
export function overviewRoutes(deps: {
  readonly metrics: Metrics;
  readonly bots: Bots;
  readonly turns: Pick<TurnStore, 'recent'>;
}): FastifyPluginAsyncZod {
  const { metrics, bots, turns } = deps;
  return async (scope) => {
    scope.get('/metrics', { schema: { summary: 'Prometheus metrics' } }, async (_request, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    );

    scope.get(
      '/api/bots',
      { schema: { summary: 'The bots, and what is wrong in their files', response: { 200: botsBody } } },
      async () => {
        const usual = bots.default()?.id;
        return {
          bots: bots.all().map((bot) => ({
            bot_id: bot.id,
            name: bot.name,
            description: bot.description,
            is_default: bot.id === usual,
            model: bot.model ?? null,
            tools: [...bot.builtinTools],
            language: bot.language,
          })),
          problems: [...bots.problems()],
        };
      },
    );

    scope.get(
      '/api/turns',
      {
        schema: {
          summary: 'The newest turns, newest first',
          querystring: z.object({
            conversation: z.string().min(1).optional(),
            limit: z.coerce.number().int().min(1).max(MOST_TURNS).default(50),
          }),
          response: { 200: z.object({ turns: z.array(turnBody) }) },
        },
      },
      async (request) => {
        const { conversation = null, limit } = request.query;
        // Any text will do: what is no key has no turns.
        const found = await turns.recent(conversation as ConversationKey | null, limit);
        return { turns: found.map(toTurnBody) };
      },
    );
  };
}
