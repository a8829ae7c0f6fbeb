/** Rules on names, sizes, comments and pages. */
import { posix } from 'node:path';
import { isProduct, type Rule } from './rule.ts';
import { isCode, type Node, place, type SourceFile } from './source.ts';

const MOST_LINES = 400;
/** The rules' own samples break the rules. */
const isRule = (path: string) => path.startsWith('test/tidy/');
const isPage = (path: string) => path.endsWith('.md');

/** Names that say nothing, and words for which the glossary has another. */
const EMPTY_NAMES =
  /^(data|info|handle|manager|util|utils|helper|helpers|tmp|foo|bar)$|(Manager|Utils?|Helpers?)$/;
const OTHER_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^tenants?$/i, 'room'],
  [/^threads?$|Thread$|^threadId$/, 'conversation'],
  [/dead_?letter/i, 'bury, buried'],
  [/process_?group/i, 'family'],
  [/^mutex$/i, 'lease'],
];

export const textRules: readonly Rule[] = [
  {
    name: `no file has more than ${MOST_LINES} lines`,
    covers: (path) => isCode(path) || /^(web|bin|\.ci)\//.test(path),
    find: (file) => (file.lineCount > MOST_LINES ? [`${file.path} has ${file.lineCount}`] : []),
    bad: [['src/a/a.ts', '\n'.repeat(MOST_LINES + 1)]],
    good: [['src/a/a.ts', '\n'.repeat(MOST_LINES)]],
  },
  {
    name: 'no folder or file is for odds and ends',
    covers: () => true,
    find: (file) =>
      file.path
        .split('/')
        .map((part) => part.replace(/\..*$/, ''))
        .filter((part) => /^(utils?|helpers?|common|misc|shared|lib|stuff)$/.test(part))
        .map((part) => `${file.path}: ${part} says nothing`),
    bad: [
      ['src/utils/time.ts', ''],
      ['test/helpers.ts', ''],
      ['web/misc/a.css', ''],
    ],
    good: [['src/base/backoff.ts', '']],
  },
  {
    name: 'names say what they name, in the words of the glossary',
    covers: (path) => isProduct(path),
    find: (file) =>
      declaredNames(file).flatMap(({ name, start }) => {
        if (EMPTY_NAMES.test(name)) return [`${place(file, start)}: ${name} says nothing`];
        const better = OTHER_WORDS.find(([word]) => word.test(name));
        return better ? [`${place(file, start)}: ${name}; the word is ${better[1]}`] : [];
      }),
    bad: [
      ['src/a/a.ts', 'const data = 1;'],
      ['src/a/a.ts', 'export type SessionManager = { open(): void };'],
      ['src/a/a.ts', 'function f(threadId: string) {}'],
      ['src/a/a.ts', 'type A = { deadLetters: number };'],
    ],
    good: [['src/a/a.ts', 'const result = schema.parse(x).data; parser.on("data", f); const message = 1;']],
  },
  {
    name: 'nothing is left for later',
    covers: (path) => !isRule(path) && path !== 'package-lock.json',
    find: (file) =>
      wordPlaces(file, /\b(TODO|FIXME|XXX|HACK)\b/g).map((at) => `${at} leaves something for later`),
    bad: [
      ['src/a/a.ts', '// TODO: later'],
      ['bin/start', '# FIXME'],
    ],
    good: [['bin/start', 'mktemp /tmp/a-XXXXXX']],
  },
  {
    name: 'no code is commented out',
    covers: (path) => isCode(path) && !isRule(path),
    find: (file) =>
      file.comments
        .filter(({ text }) =>
          /^\s*(const|let|return|if \(|await|import|export|throw|[\w.]+\()[^`]*[;{]\s*$/m.test(text),
        )
        .map(({ start }) => `${place(file, start)} is code in a comment`),
    bad: [
      ['src/a/a.ts', '// const a = 1;'],
      ['src/a/a.ts', '/*\nreturn work();\n*/'],
      ['src/a/a.ts', '// work(1);'],
    ],
    good: [
      ['src/a/a.ts', '// Returns the answer; nobody waits for it.'],
      ['src/a/a.ts', '// if nobody waits, it ends; else it goes on'],
    ],
  },
  {
    name: 'no page names a line of a file',
    covers: isPage,
    find: (file) =>
      wordPlaces(file, /\.(ts|js|css|sql|json|md):\d+|\blines? \d+/g).map((at) => `${at} names a line`),
    bad: [
      ['docs/a.md', 'see `turn.ts:12`'],
      ['README.md', 'at line 40 of it'],
    ],
    good: [['docs/a.md', '150 lines a file, port 5000']],
  },
];

/** Relative links of a page; `exists` is asked with the path from the root. */
export function findDeadLinks(
  file: SourceFile,
  exists: (path: string) => boolean,
): { link: string; path: string }[] {
  return [...file.text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^([a-z]+:|#)/.test(link))
    .map((link) => ({ link, path: posix.join(posix.dirname(file.path), link.replace(/#.*$/, '')) }))
    .filter(({ path }) => !exists(path));
}

/** Where a word stands: in comments of code, anywhere in other files. */
function wordPlaces(file: SourceFile, pattern: RegExp): string[] {
  const parts = isCode(file.path) ? file.comments : [{ text: file.text, start: 0 }];
  return parts.flatMap(({ text, start }) =>
    [...text.matchAll(pattern)].map((found) => place(file, start + found.index)),
  );
}

/** Names of variables, functions, parameters, types and their fields that a file declares. */
function declaredNames(file: SourceFile): { name: string; start: number }[] {
  return file.nodes.flatMap(({ node, parents: [parent] }) => {
    if (node.type !== 'Identifier' || !parent || !declares(parent, node)) return [];
    return [{ name: String(node.name), start: node.start }];
  });
}

function declares(parent: Node, name: Node): boolean {
  switch (parent.type) {
    case 'VariableDeclarator':
    case 'TSTypeAliasDeclaration':
    case 'TSInterfaceDeclaration':
    case 'ClassDeclaration':
      return parent.id === name;
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return parent.id === name || (Array.isArray(parent.params) && parent.params.includes(name));
    case 'TSPropertySignature':
    case 'TSMethodSignature':
      return parent.key === name;
    default:
      return false;
  }
}
