/** Rules that keep strangers out: where the network is reached from, and how secrets are compared. */
import { isProduct, type Rule } from './rule.ts';
import { isNode, type Node, place, type SourceFile } from './source.ts';

/** What opens a connection, by the module that has it; a server's side, and mere types, are no such thing. */
const DIALLERS: Readonly<Record<string, readonly string[]>> = {
  http: ['request', 'get', 'Agent', 'ClientRequest'],
  https: ['request', 'get', 'Agent'],
  http2: ['connect'],
  net: ['connect', 'createConnection', 'Socket'],
  tls: ['connect', 'TLSSocket'],
  dgram: ['createSocket'],
};
/** Replies go to Campfire through one file; the command line asks the server that it belongs to, and doctor Campfire. */
const MAY_DIAL = /^src\/(chat\/campfire\/exchange|cli\/(server-client|doctor-campfire))\.ts$/;

const SECRET = /(token|secret|signature|password|botKey)$/i;

function findDiallers(file: SourceFile): string[] {
  return file.nodes
    .filter(({ node }) => dials(node))
    .map(({ node }) => `${place(file, node.start)} opens a connection of its own`);
}

function dials(node: Node): boolean {
  if (node.type === 'CallExpression') return isNamed(node.callee, ['fetch']);
  if (node.type === 'NewExpression') return isNamed(node.callee, ['WebSocket', 'EventSource']);
  if (node.type !== 'ImportDeclaration' || node.importKind === 'type' || !isNode(node.source)) return false;
  const from = String(node.source.value).replace(/^node:/, '');
  if (from === 'undici' || from === 'ws') return true;
  const names = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : [];
  return names.some((name) => isValueOf(name, DIALLERS[from] ?? []));
}

/** A name of these, or all of them at once. */
function isValueOf(specifier: Node, names: readonly string[]): boolean {
  if (names.length === 0 || specifier.importKind === 'type') return false;
  return specifier.type !== 'ImportSpecifier' || isNamed(specifier.imported, names);
}

function isNamed(node: unknown, names: readonly string[]): boolean {
  return isNode(node) && node.type === 'Identifier' && names.includes(String(node.name));
}

function findComparisons(file: SourceFile): string[] {
  return file.nodes
    .filter(({ node }) => comparesSecret(node))
    .map(({ node }) => `${place(file, node.start)} compares a secret, which tells how much of it was right`);
}

function comparesSecret(node: Node): boolean {
  if (node.type !== 'BinaryExpression' || !/^[!=]==?$/.test(String(node.operator))) return false;
  const sides = [node.left, node.right].filter(isNode);
  const isKnown = sides.some((side) => side.type === 'Literal' || isNamed(side, ['undefined']));
  return !isKnown && sides.some((side) => SECRET.test(nameOf(side)));
}

function nameOf(node: Node): string {
  if (node.type === 'Identifier') return String(node.name);
  return node.type === 'MemberExpression' && isNode(node.property) ? nameOf(node.property) : '';
}

export const guardRules: readonly Rule[] = [
  {
    name: 'the network is reached from few places',
    covers: (path) => isProduct(path) && !MAY_DIAL.test(path),
    find: findDiallers,
    bad: [
      ['src/a/a.ts', 'const answer = await fetch(address);'],
      ['src/a/a.ts', "import { request } from 'undici';"],
      ['src/a/a.ts', "import { createServer, request } from 'node:http';"],
      ['src/a/a.ts', "import * as net from 'net';"],
      ['src/a/a.ts', "import { connect as dial } from 'node:tls';"],
      ['src/a/a.ts', 'const socket = new WebSocket(address);'],
      ['src/chat/campfire/campfire.ts', 'await fetch(url);'],
    ],
    good: [
      ['src/chat/campfire/exchange.ts', "import { Agent } from 'undici';"],
      ['src/a/a.ts', "import { createServer, type Agent } from 'node:http';"],
      ['src/a/a.ts', "import type { Socket } from 'node:net'; import { isIP } from 'node:net';"],
      ['src/a/a.ts', 'const page = await store.fetch(id);'],
    ],
  },
  {
    name: 'secrets are compared in constant time',
    covers: (path) => isProduct(path),
    find: findComparisons,
    bad: [
      ['src/a/a.ts', 'if (token === deps.webhookToken) admit();'],
      ['src/a/a.ts', 'const same = config.adminToken !== given;'],
      ['src/a/a.ts', 'const same = bot.botKey == key;'],
    ],
    good: [
      ['src/a/a.ts', 'if (deps.webhookToken === null || token === undefined) refuse();'],
      ['src/a/a.ts', "if (token === '') refuse();"],
    ],
  },
];
