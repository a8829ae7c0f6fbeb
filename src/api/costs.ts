import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import type { Ledger, Total } from '../turn/turn.ts';
import { toIso } from './wire.ts';

export type CostRoutesDeps = {
  readonly ledger: Pick<Ledger, 'totals' | 'daily'>;
  /** In which days are told: `TIME_ZONE`. */
  readonly timeZone: string;
  readonly clock: Clock;
};

const DAY_MS = 86_400_000;
const MOST_TOTALS = 500;
const MOST_DAYS = 400;

const total = z.object({
  of: z
    .string()
    .describe("A conversation's key, the id of a user or a bot, or a date; `#project` is all projects"),
  attempts: z.int(),
  cost_usd: z.number(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  cache_read_tokens: z.int(),
  cache_write_tokens: z.int(),
});

const costsRoute = {
  schema: {
    summary: 'What attempts have cost, failed ones too',
    querystring: z.object({
      by: z.enum(['conversation', 'user', 'bot', 'day']).default('day'),
      days: z.coerce.number().positive().max(MOST_DAYS).default(30).describe('So far back'),
      limit: z.coerce.number().int().min(1).max(MOST_TOTALS).default(50).describe('The dearest; not of days'),
    }),
    response: {
      200: z.object({ since: z.iso.datetime(), time_zone: z.string(), costs: z.array(total) }),
    },
  },
};

/** Of days the oldest first, of the rest the dearest. */
export function costRoutes({ ledger, timeZone, clock }: CostRoutesDeps): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.get('/api/costs', costsRoute, async ({ query: { by, days, limit } }) => {
      const since = clock.now() - days * DAY_MS;
      const totals =
        by === 'day' ? await ledger.daily(since, timeZone) : await ledger.totals(by, since, limit);
      return { since: toIso(since), time_zone: timeZone, costs: totals.map(toBody) };
    });
  };
}

function toBody({ of, attempts, costUsd, ...tokens }: Total) {
  return {
    of,
    attempts,
    cost_usd: costUsd,
    input_tokens: tokens.inputTokens,
    output_tokens: tokens.outputTokens,
    cache_read_tokens: tokens.cacheReadTokens,
    cache_write_tokens: tokens.cacheWriteTokens,
  };
}
