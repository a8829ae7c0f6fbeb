/** Lists that are read page by page. */
import { z } from 'zod';

/** Of messages and replies, in one answer. */
const MOST_ROWS = 500;

/** The first `limit` of what was found with one more asked for, and the mark of the page that follows; null: none does. */
export function toPage<Row, Mark>(
  found: readonly Row[],
  limit: number,
  markOf: (row: Row) => Mark,
): { readonly page: readonly Row[]; readonly next: Mark | null } {
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  return { page, next: last === undefined ? null : markOf(last) };
}

/** How messages and replies are asked for; `usual`: the states when none is named, with commas between them. */
export function rowsQuery<State extends string>(
  states: readonly [State, ...State[]],
  usual: string,
  aboutText: string,
) {
  return z.object({
    state: z
      .string()
      .default(usual)
      .transform((text) => text.split(',').map((word) => word.trim()))
      .pipe(z.array(z.enum(states)).min(1))
      .describe(`Of ${states.join(', ')}; several with commas between them`),
    key: z.string().min(1).optional().describe('Of this conversation alone'),
    limit: z.coerce.number().int().min(1).max(MOST_ROWS).default(50),
    before: z.coerce.number().int().positive().optional().describe('`next` of the page before'),
    text: z.stringbool().default(false).describe(aboutText),
  });
}
