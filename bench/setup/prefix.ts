/** A request of the Messages API, as far as a provider's prompt cache looks at it. */
type Request = { readonly messages: readonly unknown[]; readonly [field: string]: unknown };

/**
 * How many bytes two requests have in common from their start, in the order in which a prompt cache reads them: tools,
 * system prompt, messages. Cache marks are no content; they move from turn to turn, and what carried one is written as a
 * block, else as a plain text: the two mean the same.
 */
export function sharedPrefix(
  earlier: Request,
  later: Request,
): { readonly sharedBytes: number; readonly earlierBytes: number } {
  const one = toBytes(earlier);
  const other = toBytes(later);
  let shared = 0;
  while (shared < one.length && one[shared] === other[shared]) shared += 1;
  return { sharedBytes: shared, earlierBytes: one.length };
}

/** Part after part, so that nothing closes behind the last message. */
function toBytes({ tools, system, messages }: Request): Buffer {
  const parts = [...listOf(tools), ...listOf(system), ...messages];
  return Buffer.from(parts.map((part) => JSON.stringify(part, toContent)).join('\n'));
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function toContent(key: string, value: unknown): unknown {
  if (key === 'cache_control') return undefined;
  return key === 'content' && typeof value === 'string' ? [{ type: 'text', text: value }] : value;
}
