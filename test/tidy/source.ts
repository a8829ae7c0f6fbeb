/** The project's files as the tidy rules see them: their text, and the syntax tree of those that are code. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { parseSync } from 'vite';

/** A syntax node, ESTree's shape with TypeScript's additions; `start` is an offset into the text. */
export type Node = { readonly type: string; readonly start: number; readonly [field: string]: unknown };

export type Import = {
  /** As written, `./a.ts` or `fastify`. */
  readonly from: string;
  readonly start: number;
  /** `import './x.ts'`: only for what happens when it loads. */
  readonly sideEffect: boolean;
};

export type SourceFile = {
  /** From the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  /** Every node, parents before children, each with its parents, the nearest first; none when it is no code. */
  readonly nodes: readonly { readonly node: Node; readonly parents: readonly Node[] }[];
  readonly comments: readonly { readonly text: string; readonly start: number }[];
  /** Static and dynamic imports and re-exports; those of types too. */
  readonly imports: readonly Import[];
};

/** Every file that is in git or about to be, in the order of their paths. */
export function readProject(root: string): readonly SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  });
  return [...new Set(listed.split('\0'))]
    .filter((path) => path !== '' && isTextFile(path))
    .filter((path) => existsSync(`${root}/${path}`) && lstatSync(`${root}/${path}`).isFile())
    .sort()
    .map((path) => toSourceFile(path, readFileSync(`${root}/${path}`, 'utf8')));
}

/** Recorded things and results are not ours to tidy. */
function isTextFile(path: string): boolean {
  return (
    !/\.(sqlite3?|png|jpg|gif|ico|woff2|gz|zip)$/.test(path) &&
    !/^test\/fixtures\/.*\.json$/.test(path) &&
    !/^(bench|chaos)\/results\//.test(path)
  );
}

export function toSourceFile(path: string, text: string): SourceFile {
  const lineCount = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (!isCode(path)) return { path, text, lineCount, nodes: [], comments: [], imports: [] };

  const parsed = parseSync(path, text);
  if (parsed.errors.length > 0) throw new Error(`${path} does not parse: ${parsed.errors[0]?.message}`);
  const nodes: { node: Node; parents: readonly Node[] }[] = [];
  collect(parsed.program, [], nodes);
  const comments = parsed.comments.map((comment) => ({ text: comment.value, start: comment.start }));
  return { path, text, lineCount, nodes, comments, imports: nodes.flatMap(({ node }) => toImport(node)) };
}

export function isCode(path: string): boolean {
  return /\.(ts|js)$/.test(path);
}

function collect(
  value: unknown,
  parents: readonly Node[],
  into: { node: Node; parents: readonly Node[] }[],
): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, parents, into);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const inside = isNode(value) ? [value, ...parents] : parents;
  if (isNode(value)) into.push({ node: value, parents });
  for (const child of Object.values(value)) collect(child, inside, into);
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function toImport(node: Node): Import[] {
  const kinds = [
    'ImportDeclaration',
    'ExportNamedDeclaration',
    'ExportAllDeclaration',
    'ImportExpression',
    'TSImportType',
  ];
  if (!kinds.includes(node.type)) return [];
  const source = node.source;
  if (!isNode(source) || typeof source.value !== 'string') return [];
  const names = node.specifiers;
  const sideEffect =
    node.type === 'ImportDeclaration' &&
    Array.isArray(names) &&
    names.length === 0 &&
    node.importKind !== 'type';
  return [{ from: source.value, start: node.start, sideEffect }];
}

/** `src/a/b.ts:12`, for a finding. */
export function place(file: SourceFile, start: number): string {
  return `${file.path}:${file.text.slice(0, start).split('\n').length}`;
}
