import { z } from 'zod';
import type { VersionMetadata } from './terms.ts';

/** The lines by which an agent, the offline one too, knows what is wanted of it. */
export const METADATA_LINE = 'Answer with one JSON object and nothing else.';
export const DOCUMENTATION_LINE = 'Answer with the documentation in Markdown and nothing else.';

const MOST_RECOMMENDATIONS = 10;
const MOST_DOCUMENTATION = 200_000;

const text = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .transform((read) => read.slice(0, most));

const recommendation = z.object({
  title: text(120),
  description: text(1_000),
  category: text(60),
  complexity: z.enum(['easy', 'medium', 'hard']),
  impact: z.enum(['low', 'medium', 'high']),
  prompt: text(4_000),
});

const metadata = z.object({
  title: text(120),
  description: text(2_000),
  change_type: z.enum(['patch', 'minor', 'major']),
  recommendations: z
    .array(recommendation)
    .min(1)
    .transform((all) => all.slice(0, MOST_RECOMMENDATIONS)),
});

export type Described = Pick<VersionMetadata, 'title' | 'description' | 'changeType' | 'recommendations'>;

/** What an agent answered about a version; null when it is not what it was asked for. */
export function parseMetadata(answer: string): Described | null {
  const parsed = metadata.safeParse(parseJson(answer));
  if (!parsed.success) return null;
  const { title, description, change_type: changeType, recommendations } = parsed.data;
  return { title, description, changeType, recommendations };
}

/** Null when there is nothing in it, or too much. */
export function parseDocumentation(answer: string): string | null {
  const said = answer.trim();
  return said === '' || said.length > MOST_DOCUMENTATION ? null : said;
}

/** Models like to put JSON between fences, or a word before it. */
function parseJson(answer: string): unknown {
  const begin = answer.indexOf('{');
  const end = answer.lastIndexOf('}');
  if (begin < 0 || end < begin) return null;
  try {
    return JSON.parse(answer.slice(begin, end + 1));
  } catch {
    return null;
  }
}
