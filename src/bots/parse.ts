import { type Document, isMap, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import type { BotProblem } from './bots.ts';
import { type BotFile, botFile } from './schema.ts';

export type ParsedBotFile = {
  /** Null: the file cannot be used; the problems say why. */
  readonly value: BotFile | null;
  readonly problems: readonly BotProblem[];
};

/** A bot file's text, checked. Reasons hold no text of the file: it has keys in it. */
export function parseBotFile(file: string, text: string): ParsedBotFile {
  const lines = new LineCounter();
  const problem = (severity: BotProblem['severity'], field: string | null, reason: string): BotProblem => ({
    severity,
    file,
    field,
    reason,
  });

  const plain = text.replace(/^\uFEFF/, '');
  const document = parseDocument(plain, { lineCounter: lines, prettyErrors: false });
  const syntax = file.endsWith('.json') ? readJson(plain, document, lines) : readYaml(document, lines);
  if (syntax.error !== null) return { value: null, problems: [problem('error', null, syntax.error)] };
  const read = dropNulls(syntax.value);
  if (!isRecord(read)) return { value: null, problems: [problem('error', null, 'not a mapping of fields')] };

  const warnings: BotProblem[] = [];
  for (const issue of botFile.safeParse(read).error?.issues ?? []) {
    if (issue.code !== 'unrecognized_keys') continue;
    for (const key of issue.keys) {
      warnings.push(problem('warning', [...issue.path, key].join('.'), `unknown field: not read`));
      deleteAt(read, issue.path, key);
    }
  }
  const result = botFile.safeParse(read);
  if (result.success) return { value: result.data, problems: warnings };
  const errors = result.error.issues.map((issue) =>
    problem(
      'error',
      issue.path.join('.') || null,
      `${toReason(issue)}${at(lineOf(document, lines, issue.path))}`,
    ),
  );
  return { value: null, problems: [...errors, ...warnings] };
}

type Syntax = { readonly error: string } | { readonly error: null; readonly value: unknown };

function readYaml(document: Document, lines: LineCounter): Syntax {
  const error = document.errors[0];
  if (error !== undefined) {
    const what = error.code.toLowerCase().replaceAll('_', ' ');
    return { error: `not valid YAML: ${what}${at(lines.linePos(error.pos[0]).line)}` };
  }
  try {
    return { error: null, value: document.toJS({ maxAliasCount: 100 }) };
  } catch {
    return { error: 'not valid YAML: its aliases do not resolve, or to too much' };
  }
}

/** The engine's own message may quote the file, so only the place is taken from it. */
function readJson(text: string, document: Document, lines: LineCounter): Syntax {
  try {
    return { error: null, value: JSON.parse(text) };
  } catch (error) {
    const told = /line (\d+)/.exec(String(error))?.[1];
    const position = document.errors[0]?.pos[0];
    const line = told ?? (position === undefined ? null : lines.linePos(position).line);
    return { error: `not valid JSON${at(line === null ? null : Number(line))}` };
  }
}

function toReason(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}

function at(line: number | null): string {
  return line === null ? '' : ` (line ${line})`;
}

function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number | null {
  for (let length = path.length; length > 0; length -= 1) {
    const key = path[length - 1];
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    if (!isMap(parent)) continue;
    const pair = parent.items.find(({ key: node }) => String(node) === String(key));
    const range = isRecord(pair?.key) ? pair.key.range : undefined;
    if (Array.isArray(range) && typeof range[0] === 'number') return lines.linePos(range[0]).line;
  }
  return null;
}

/** `key:` with nothing after it is a field that was not given. */
function dropNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(dropNulls);
  if (!isRecord(value)) return value;
  const given = Object.entries(value).filter(([, part]) => part !== null);
  return Object.fromEntries(given.map(([key, part]) => [key, dropNulls(part)]));
}

function deleteAt(root: Record<string, unknown>, path: readonly PropertyKey[], key: string): void {
  let parent: unknown = root;
  for (const part of path) parent = isRecord(parent) ? Reflect.get(parent, part) : undefined;
  if (isRecord(parent)) delete parent[key];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
