import { aroundRequest, requestOf } from './said.ts';

/** The lines that end what a project's update is asked after its edit. */
const METADATA = 'Answer with one JSON object and nothing else.';
const DOCUMENTATION = 'Answer with the documentation in Markdown and nothing else.';
const TITLE_CHARACTERS = 60;

/** What the offline model writes about a project's update; null when that is not what it is asked. */
export function describeUpdate(said: readonly string[]): string | null {
  const asked = aroundRequest(said.at(-1) ?? '').split('\n');
  if (asked.some((line) => line.trim() === METADATA)) return metadata(titleOf(said));
  if (asked.some((line) => line.trim() === DOCUMENTATION)) return documentation(titleOf(said));
  return null;
}

function metadata(title: string): string {
  const recommend = (what: string, category: string) => ({
    title: what,
    description: `The offline model suggests this after every update.`,
    category,
    complexity: 'easy',
    impact: 'medium',
    prompt: `${what}.`,
  });
  return JSON.stringify({
    title,
    description: `${title}. Described by the offline model, which has not looked at it.`,
    change_type: 'patch',
    recommendations: [recommend('Add a test', 'tests'), recommend('Write down how it is used', 'docs')],
  });
}

function documentation(title: string): string {
  return `# ${title}\n\nThe offline model has written this; it has not looked at the project.\n`;
}

/** The first words of the latest request of somebody, without the tools that it names. */
function titleOf(said: readonly string[]): string {
  const request = said.findLast((text) => text.includes('<request>')) ?? said.at(-2) ?? '';
  const text = requestOf(request);
  const words = (text.split(/\buse tool\b/i)[0] ?? '').replaceAll(/\s+/g, ' ').replace(/[\s:;,.]+$/, '');
  if (words === '') return /\buse tool (\S+)/i.exec(text)?.[0] ?? 'A change';
  return words.length <= TITLE_CHARACTERS ? words : `${words.slice(0, TITLE_CHARACTERS - 1)}…`;
}
