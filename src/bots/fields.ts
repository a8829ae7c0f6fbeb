/** Fields and tools that a bot file may name and that this version does not honour: said by name, never in silence. */
import type { BotFile } from './schema.ts';

/** Something to say about one field; the caller adds the file. */
export type FieldNote = { readonly field: string; readonly reason: string };

/** Accepted so that old files load. The reason is what the warning says. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  model: 'not supported here: use model_config.model',
  'model_config.temperature': 'not supported: it has no effect',
  'model_config.max_tokens': 'not supported: it has no effect',
  language: 'not supported: use default_language',
  languages: 'not supported: it has no effect; default_language has',
  capabilities: 'not supported: it has no effect; tools has',
  settings: 'not supported: it has no effect',
  verification: 'not supported: it has no effect',
  knowledge_base: 'not supported: it has no effect',
  response_style: 'not supported: it has no effect; say it in the prompt',
  html_formatting: 'not supported: it has no effect; replies are rendered for the room',
  agents: 'not supported by this version: it has no effect',
};

/** Built-in tools that a bot can be given; what it reads and writes stays in its own working directory. */
const GIVEN: readonly string[] = [
  'Read',
  'Write',
  'Edit',
  'NotebookEdit',
  'Grep',
  'Glob',
  'WebSearch',
  'WebFetch',
  'TodoWrite',
];
/** What a bot whose file lists none is given: it can look things up and change nothing. */
const UNLESS_LISTED = ['Read', 'Grep', 'Glob', 'WebSearch', 'WebFetch'];

const REFUSED: Readonly<Record<string, string>> = {
  Task: 'this version has no sub-agents',
  Agent: 'this version has no sub-agents',
  Skill: 'this version has no skills',
};

export function findWithoutEffect(file: BotFile): readonly FieldNote[] {
  return Object.entries(WITHOUT_EFFECT).flatMap(([field, reason]) =>
    valueAt(file, field) === undefined ? [] : [{ field, reason }],
  );
}

/** The built-in tools to give, in the order of the file, and what is not given by name. `noShell`: why Bash is not. */
export function chooseTools(
  file: BotFile,
  noShell: string | null,
): {
  readonly builtin: readonly string[];
  readonly notes: readonly FieldNote[];
} {
  const { builtin, ...groups } = file.tools ?? {};
  const listed = [...new Set(builtin ?? UNLESS_LISTED)];
  const isGiven = (name: string) => GIVEN.includes(name) || (name === 'Bash' && noShell === null);
  const refused = listed.filter((name) => !isGiven(name));
  const notes = refused.map((name) => ({
    field: 'tools.builtin',
    reason: `${name} is not given: ${whyNot(name, noShell)}`,
  }));
  const legacy = file.tools === undefined && file.tools_enabled ? { tools_enabled: file.tools_enabled } : {};
  for (const [field, names] of [...Object.entries(prefixed(groups)), ...Object.entries(legacy)]) {
    if (names.length > 0) notes.push({ field, reason: `this version does not give ${names.join(', ')}` });
  }
  return { builtin: listed.filter(isGiven), notes };
}

function whyNot(name: string, noShell: string | null): string {
  if (name === 'Bash' && noShell !== null) return noShell;
  return REFUSED[name] ?? 'this version knows no such tool';
}

/** The declared servers; the predecessor's list of names stood for servers of its own, which are not here. */
export function chooseMcpServers(file: BotFile): {
  readonly servers: Readonly<Record<string, unknown>>;
  readonly notes: readonly FieldNote[];
} {
  const given = file.mcp_servers ?? {};
  if (!Array.isArray(given)) return { servers: given, notes: [] };
  if (given.length === 0) return { servers: {}, notes: [] };
  const reason = `this version does not give ${given.join(', ')}: declare a server by name with its command or url`;
  return { servers: {}, notes: [{ field: 'mcp_servers', reason }] };
}

function prefixed(groups: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(groups).map(([group, names]) => [`tools.${group}`, names]));
}

function valueAt(file: BotFile, field: string): unknown {
  let value: unknown = file;
  for (const part of field.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}
