/** Rules on what single files import: one home for each dependency, nothing for its side effect, no barrels. */
import { isProduct, type Rule } from './rule.ts';
import { isCode, place, type SourceFile } from './source.ts';

/** Package (or what it starts with) → where in the product it may be imported. */
const HOMES: readonly (readonly [packages: RegExp, homes: readonly string[]])[] = [
  // Campfire's own database is read, never written, by the chat that belongs to it.
  [/^node:sqlite$/, ['src/store/', 'src/chat/campfire/']],
  [/^(kysely|pg)($|\/)/, ['src/store/']],
  [/^@anthropic-ai\//, ['src/agent/claude/']],
  [/^@copilotkit\/aimock/, ['src/agent/offline/']],
  [/^(fastify|fastify-type-provider-zod|@fastify\/.*)$/, ['src/app.ts', 'src/webhook/', 'src/api/']],
  [/^(pino|pino-pretty|prom-client)$/, ['src/telemetry/']],
  [/^(vitest|vite|fast-check|playwright-core|autocannon|typescript)($|\/)/, []],
];

export const importRules: readonly Rule[] = [
  {
    name: 'each dependency has one home',
    covers: isProduct,
    find: (file) =>
      file.imports.flatMap(({ from, start }) => {
        const home = HOMES.find(([packages]) => packages.test(from));
        if (!home || home[1].some((prefix) => file.path.startsWith(prefix))) return [];
        return [`${place(file, start)} imports ${from}; its home is ${home[1].join(', ') || 'outside src'}`];
      }),
    bad: [
      ['src/inbox/inbox.ts', "import { DatabaseSync } from 'node:sqlite';"],
      ['src/session/session.ts', "import type { Query } from '@anthropic-ai/claude-agent-sdk';"],
      ['src/cli/doctor.ts', "export { type Kysely } from 'kysely';"],
      ['src/queue/queue.ts', "const { default: fastify } = await import('fastify');"],
      ['src/base/ids.ts', "import { test } from 'vitest';"],
    ],
    good: [
      ['src/store/sqlite/sqlite.ts', "import { DatabaseSync } from 'node:sqlite';"],
      ['src/chat/campfire/database.ts', "import { DatabaseSync } from 'node:sqlite';"],
      ['src/api/login.ts', "import type { FastifyInstance } from 'fastify';"],
      ['src/base/ids.test.ts', "import { test } from 'vitest';"],
    ],
  },
  {
    name: 'nothing is imported for its side effect',
    covers: isProduct,
    find: (file) =>
      file.imports
        .filter((one) => one.sideEffect)
        .map(({ from, start }) => `${place(file, start)} imports ${from} for its side effect`),
    bad: [['src/app.ts', "import './chat/campfire/register.ts';"]],
    good: [['src/app.ts', "import type {} from './chat/chat.ts'; import { a } from './a.ts';"]],
  },
  {
    name: 'there are no barrels',
    covers: isCode,
    find: (file) => [
      ...(file.path.endsWith('/index.ts') ? [`${file.path} is a barrel by its name`] : []),
      ...findBarrelExports(file),
    ],
    bad: [
      ['src/inbox/index.ts', 'export const answer = 42;'],
      ['src/inbox/inbox.ts', "export * from './accept.ts';"],
    ],
    good: [['src/inbox/inbox.ts', "export { accept } from './accept.ts';"]],
  },
];

function findBarrelExports(file: SourceFile): string[] {
  return file.nodes
    .filter(({ node }) => node.type === 'ExportAllDeclaration')
    .map(({ node }) => `${place(file, node.start)} exports everything of another file`);
}
