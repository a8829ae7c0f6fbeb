/** Rules on the code itself, found in its syntax tree, so that words in strings and comments break none of them. */
import { isProduct, isTest, type Rule } from './rule.ts';
import { isCode, isNode, type Node, place, type SourceFile } from './source.ts';

/** A call or use of `object.property`, such as `Date.now`. */
function uses(node: Node, object: string, property?: string): boolean {
  if (node.type !== 'MemberExpression' || !isNode(node.object) || !isNode(node.property)) return false;
  if (node.object.type !== 'Identifier' || node.object.name !== object) return false;
  return property === undefined || nameOf(node.property) === property;
}

function nameOf(node: Node): string {
  return String(node.type === 'Literal' ? node.value : node.name);
}

/** `const { env } = process` and the like. */
function takesFrom(node: Node, object: string, property: string): boolean {
  if (node.type !== 'VariableDeclarator' || !isNode(node.init) || !isNode(node.id)) return false;
  if (node.init.type !== 'Identifier' || node.init.name !== object || !Array.isArray(node.id.properties))
    return false;
  return node.id.properties.some((one) => isNode(one) && isNode(one.key) && nameOf(one.key) === property);
}

function calls(node: Node, names: readonly string[]): boolean {
  if (node.type !== 'CallExpression' || !isNode(node.callee)) return false;
  return node.callee.type === 'Identifier' && names.includes(String(node.callee.name));
}

/** `new URL('..', import.meta.url).pathname`, which a folder with a space in its name does not have. */
function isPathOfAddress(node: Node): boolean {
  if (node.type !== 'MemberExpression' || !isNode(node.object) || !isNode(node.property)) return false;
  if (nameOf(node.property) !== 'pathname' || node.object.type !== 'NewExpression') return false;
  const [, base] = Array.isArray(node.object.arguments) ? node.object.arguments : [];
  return (
    isNode(base) &&
    base.type === 'MemberExpression' &&
    isNode(base.object) &&
    base.object.type === 'MetaProperty'
  );
}

function findNodes(file: SourceFile, breaks: (node: Node) => boolean, what: string): string[] {
  return file.nodes
    .filter(({ node }) => breaks(node))
    .map(({ node }) => `${place(file, node.start)} ${what}`);
}

function importsFrom(file: SourceFile, pattern: RegExp, what: string): string[] {
  return file.imports
    .filter(({ from }) => pattern.test(from))
    .map(({ from, start }) => `${place(file, start)} imports ${from}: ${what}`);
}

const AS_HTML = ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'setHTMLUnsafe', 'write', 'writeln'];
const TIMERS = ['setTimeout', 'setInterval'];

export const codeRules: readonly Rule[] = [
  {
    name: 'nothing is of type any',
    covers: isCode,
    find: (file) => findNodes(file, (node) => node.type === 'TSAnyKeyword', 'says any'),
    bad: [
      ['src/a/a.ts', 'export const a: any = 1;'],
      ['src/a/a.ts', 'export const a = (b as any).c;'],
      ['test/a.test.ts', 'const a = b as any[];'],
    ],
    good: [['src/a/a.ts', "export const any = 'any'; // any word"]],
  },
  {
    name: 'no type is forced through unknown',
    covers: isCode,
    find: (file) => findNodes(file, isForced, 'casts through unknown'),
    bad: [
      ['src/a/a.ts', 'export const a = b as unknown as string;'],
      ['src/a/a.ts', 'export const a = (b as unknown) as string;'],
    ],
    good: [['src/a/a.ts', 'export const a = b as unknown; export const c = d as string as Id;']],
  },
  {
    name: 'the environment is read in config.ts alone',
    covers: (path) => isProduct(path) && path !== 'src/config.ts',
    find: (file) =>
      findNodes(
        file,
        (node) => uses(node, 'process', 'env') || takesFrom(node, 'process', 'env'),
        'reads the environment',
      ),
    bad: [
      ['src/a/a.ts', 'export const home = process.env.HOME;'],
      ['src/a/a.ts', "export const home = process['env'];"],
      ['src/a/a.ts', 'const { env } = process;'],
    ],
    good: [
      ['src/config.ts', 'export const home = process.env.HOME;'],
      ['src/a/a.ts', "export const words = 'process.env';"],
    ],
  },
  {
    name: 'time and timers come from the clock',
    covers: (path) => isProduct(path) && path !== 'src/base/clock.ts',
    find: (file) => [
      ...findNodes(file, readsTime, 'reads the time'),
      ...findNodes(
        file,
        (node) => calls(node, TIMERS) || uses(node, 'AbortSignal', 'timeout'),
        'starts a timer',
      ),
      ...importsFrom(file, /^(node:)?(timers|perf_hooks)(\/|$)/, 'timers have one home'),
    ],
    bad: [
      ['src/a/a.ts', 'export const now = Date.now();'],
      ['src/a/a.ts', 'export const now = new Date();'],
      ['src/a/a.ts', 'export const now = performance.now();'],
      ['src/a/a.ts', 'setTimeout(work, 1);'],
      ['src/a/a.ts', 'setInterval(work, 1);'],
      ['src/a/a.ts', 'fetch(address, { signal: AbortSignal.timeout(1) });'],
      ['src/a/a.ts', "import { setTimeout } from 'node:timers/promises';"],
    ],
    good: [
      ['src/base/clock.ts', 'export const now = () => Date.now();'],
      ['src/a/a.ts', 'export const day = new Date(instant); clearTimeout(timer); setImmediate(next);'],
    ],
  },
  {
    name: 'the process ends in main.ts alone',
    covers: (path) => isProduct(path) && path !== 'src/main.ts',
    find: (file) =>
      findNodes(
        file,
        (node) => uses(node, 'process', 'exit') || uses(node, 'process', 'abort'),
        'ends the process',
      ),
    bad: [['src/cli/cli.ts', 'process.exit(1);']],
    good: [
      ['src/main.ts', 'process.exit(1);'],
      ['src/cli/cli.ts', 'process.exitCode = 1;'],
    ],
  },
  {
    name: 'only the command line writes to the console',
    covers: (path) => isProduct(path) && !path.startsWith('src/cli/'),
    find: (file) => findNodes(file, (node) => uses(node, 'console'), 'writes to the console'),
    bad: [['src/a/a.ts', "console.log('here');"]],
    good: [['src/cli/doctor.ts', "console.log('fine');"]],
  },
  {
    name: 'no path is cut out of an address',
    covers: isCode,
    find: (file) => findNodes(file, isPathOfAddress, 'is percent-encoded: fileURLToPath gives the path'),
    bad: [['src/a/a.ts', "export const root = new URL('..', import.meta.url).pathname;"]],
    good: [
      ['src/a/a.ts', "const root = fileURLToPath(new URL('..', import.meta.url)); new URL(page).pathname;"],
    ],
  },
  {
    name: 'nothing is a default export',
    covers: (path) => isCode(path) && !path.endsWith('.config.ts'),
    find: (file) =>
      findNodes(file, (node) => node.type === 'ExportDefaultDeclaration', 'is a default export'),
    bad: [['src/a/a.ts', 'export default 1;']],
    good: [['vitest.config.ts', 'export default {};']],
  },
  {
    name: 'no module has state',
    covers: isProduct,
    find: (file) => findNodes(file, isModuleState(file), 'is state of a module'),
    bad: [
      ['src/a/a.ts', 'let count = 0;'],
      ['src/a/a.ts', 'export let count = 0;'],
      ['src/a/a.ts', 'const known = new Map<string, number>();'],
      ['src/a/a.ts', 'export const known = new Set();'],
    ],
    good: [
      ['src/a/a.ts', "const KNOWN = new Set(['a']); function f() { let count = 0; const m = new Map(); }"],
    ],
  },
  {
    name: 'no test is skipped, awaited or the only one',
    covers: isTest,
    find: (file) => findNodes(file, isLeftOut, 'leaves tests out'),
    bad: [
      ['test/a.test.ts', "test.only('a', () => {});"],
      ['src/a/a.test.ts', "describe.skip('a', () => {});"],
      ['src/a/a.test.ts', "it.todo('a');"],
      ['src/a/a.test.ts', "test.concurrent.skip('a', () => {});"],
    ],
    good: [
      [
        'test/a.test.ts',
        "test.each([1])('a', () => {}); describe.skipIf(none)('b', () => {}); rows.skip(1);",
      ],
    ],
  },
  {
    name: 'the page assigns nothing as HTML',
    covers: (path) => /^web\/.*\.js$/.test(path),
    find: (file) =>
      findNodes(
        file,
        (node) =>
          node.type === 'MemberExpression' &&
          isNode(node.property) &&
          AS_HTML.includes(nameOf(node.property)),
        'assigns HTML',
      ),
    bad: [
      ['web/page.js', 'item.innerHTML = message.html;'],
      ['web/page.js', "item.insertAdjacentHTML('beforeend', html);"],
      ['web/page.js', 'document.write(html);'],
    ],
    good: [['web/page.js', 'item.append(safeFragment(message.html)); item.textContent = text;']],
  },
  {
    name: 'no error is only logged',
    covers: isProduct,
    find: (file) => findNodes(file, onlyLogs, 'catches an error only to log it'),
    bad: [
      ['src/a/a.ts', 'try { work(); } catch (error) { log.warn({ error }); }'],
      ['src/a/a.ts', 'try { work(); } catch (error) { deps.telemetry.log.error({ error }); }'],
    ],
    good: [
      ['src/a/a.ts', 'try { work(); } catch (error) { log.warn({ error }); giveUp(); }'],
      ['src/a/a.ts', 'try { work(); } catch { /* It was gone already. */ }'],
    ],
  },
];

function isForced(node: Node): boolean {
  if (node.type !== 'TSAsExpression' || !isNode(node.expression)) return false;
  const inner =
    node.expression.type === 'ParenthesizedExpression' ? node.expression.expression : node.expression;
  if (!isNode(inner) || inner.type !== 'TSAsExpression' || !isNode(inner.typeAnnotation)) return false;
  return inner.typeAnnotation.type === 'TSUnknownKeyword';
}

function readsTime(node: Node): boolean {
  if (uses(node, 'Date', 'now') || uses(node, 'performance', 'now') || uses(node, 'process', 'hrtime'))
    return true;
  if (node.type !== 'NewExpression' || !isNode(node.callee) || node.callee.name !== 'Date') return false;
  return Array.isArray(node.arguments) && node.arguments.length === 0;
}

/** Declared at the top of a module: something that can change, or a collection that starts empty and so will. */
function isModuleState(file: SourceFile): (node: Node) => boolean {
  const top = new Set<Node>();
  for (const { node, parents } of file.nodes) {
    const [parent, grandparent] = parents;
    const exported = parent?.type === 'ExportNamedDeclaration' && grandparent?.type === 'Program';
    if (node.type === 'VariableDeclaration' && (parent?.type === 'Program' || exported)) top.add(node);
  }
  return (node) => top.has(node) && (node.kind !== 'const' || declares(node).some(startsEmpty));
}

function declares(node: Node): Node[] {
  return Array.isArray(node.declarations) ? node.declarations.filter(isNode) : [];
}

function startsEmpty({ init }: Node): boolean {
  if (!isNode(init) || init.type !== 'NewExpression' || !isNode(init.callee)) return false;
  const collections = ['Map', 'Set', 'WeakMap', 'WeakSet'];
  return (
    collections.includes(String(init.callee.name)) &&
    Array.isArray(init.arguments) &&
    init.arguments.length === 0
  );
}

function isLeftOut(node: Node): boolean {
  if (node.type !== 'MemberExpression' || !isNode(node.property)) return false;
  if (!['only', 'skip', 'todo'].includes(nameOf(node.property))) return false;
  let object = node.object;
  while (isNode(object) && object.type === 'MemberExpression') object = object.object;
  return isNode(object) && ['test', 'it', 'describe', 'suite', 'bench'].includes(String(object.name));
}

function onlyLogs(node: Node): boolean {
  if (node.type !== 'CatchClause' || !isNode(node.body) || !Array.isArray(node.body.body)) return false;
  const steps = node.body.body;
  return (
    steps.length > 0 &&
    steps.every((step) => isNode(step) && isNode(step.expression) && isLogCall(step.expression))
  );
}

function isLogCall(call: Node): boolean {
  if (call.type !== 'CallExpression' || !isNode(call.callee) || !isNode(call.callee.object)) return false;
  const logger = call.callee.object;
  const last = isNode(logger.property) ? logger.property : logger;
  return ['log', 'logger', 'console'].includes(nameOf(last));
}
