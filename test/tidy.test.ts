/** The house rules that a machine can check; `docs/architecture.md` says why they are. Each is tried on samples too. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { codeRules } from './tidy/code-rules.ts';
import { guardRules } from './tidy/guard-rules.ts';
import { importRules } from './tidy/import-rules.ts';
import {
  findCircles,
  findFacelessFolders,
  findForbiddenImports,
  findInsideImports,
  findUnlistedFolders,
  parseImportTable,
} from './tidy/import-table.ts';
import {
  findMissingBinaries,
  findNamedRegistries,
  findUnpinned,
  type Lock,
  type Manifest,
} from './tidy/package-rules.ts';
import type { Sample } from './tidy/rule.ts';
import { readProject, toSourceFile } from './tidy/source.ts';
import { findDeadLinks, textRules } from './tidy/text-rules.ts';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const project = readProject(root);
const files = (...samples: readonly Sample[]) => samples.map(([path, text]) => toSourceFile(path, text));

describe.each([...importRules, ...codeRules, ...guardRules, ...textRules])('$name', (rule) => {
  test('in this project', () => {
    const broken = project.filter((file) => rule.covers(file.path)).flatMap(rule.find);
    expect(broken).toEqual([]);
  });

  test.each(rule.bad)('and %s with `%s` breaks it', (path, text) => {
    expect(rule.covers(path)).toBe(true);
    expect(rule.find(toSourceFile(path, text))).not.toEqual([]);
  });

  test.each(rule.good)('and %s with `%s` does not', (path, text) => {
    expect(rule.covers(path) ? rule.find(toSourceFile(path, text)) : []).toEqual([]);
  });
});

describe('the folders of src', () => {
  const table = parseImportTable(readFileSync(`${root}/docs/architecture.md`, 'utf8'));

  test('all stand in the table of docs/architecture.md', () => {
    expect(findUnlistedFolders(project, table)).toEqual([]);
    expect(findUnlistedFolders(files(['src/new/new.ts', '']), table)).toEqual(['new']);
  });

  test('all have a face', () => {
    expect(findFacelessFolders(project)).toEqual([]);
    expect(findFacelessFolders(files(['src/inbox/accept.ts', '']))).toEqual(['inbox']);
    expect(findFacelessFolders(files(['src/config.ts', ''], ['src/config/a.ts', '']))).toEqual([]);
  });

  test("know each other's faces only", () => {
    expect(findInsideImports(project)).toEqual([]);
    const found = (path: string, from: string) =>
      findInsideImports(files([path, `import type { A } from '${from}';`]));
    expect(found('src/turn/run-turn.ts', '../session/decide-tier.ts')).toHaveLength(1);
    expect(found('src/turn/run-turn.ts', '../../test/fixtures/fake-clock.ts')).toHaveLength(1);
    expect(found('src/turn/run-turn.ts', '../../migrations/0001_main.ts')).toHaveLength(1);
    expect(found('src/turn/run-turn.ts', '../session/session.ts')).toEqual([]);
    expect(found('src/turn/run-turn.ts', '../base/terms.ts')).toEqual([]);
    expect(found('src/app.ts', './session/decide-tier.ts')).toEqual([]);
    expect(found('src/turn/run-turn.test.ts', '../session/decide-tier.ts')).toEqual([]);
  });

  test('import only those that the table allows', () => {
    expect(findForbiddenImports(project, table)).toEqual([]);
    const found = (path: string, from: string) =>
      findForbiddenImports(files([path, `export { a } from '${from}';`]), table);
    expect(found('src/inbox/inbox.ts', '../turn/turn.ts')).toHaveLength(1);
    expect(found('src/base/ids.ts', '../chat/chat.ts')).toHaveLength(1);
    expect(found('src/turn/turn.ts', '../inbox/inbox.ts')).toEqual([]);
    expect(found('src/cli/doctor.ts', '../turn/turn.ts')).toEqual([]);
  });

  test('know each other in no circle', () => {
    expect(findCircles(project)).toEqual([]);
    const circle = files(
      ['src/a/a.ts', "import type { B } from '../b/b.ts';"],
      ['src/b/b.ts', "import { c } from '../c/c.ts';"],
      ['src/c/c.ts', "export { a } from '../a/a.ts';"],
    );
    expect(findCircles(circle)).toEqual(['a → b → c → a']);
    expect(findCircles(circle.slice(0, 2))).toEqual([]);
  });
});

describe('what is installed', () => {
  const manifest: Manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
  const lock: Lock = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8'));

  test('is pinned to exact versions', () => {
    expect(findUnpinned(manifest)).toEqual([]);
    const loose = { dependencies: { a: '^1.0.0', b: '1.2.3' }, devDependencies: { c: 'latest' } };
    expect(findUnpinned(loose)).toEqual(['a ^1.0.0', 'c latest']);
  });

  test('comes from whatever registry the machine uses', () => {
    expect(findNamedRegistries(lock)).toEqual([]);
    expect(
      findNamedRegistries({ packages: { a: { resolved: 'https://example.com/a.tgz' }, b: {} } }),
    ).toEqual(['a']);
  });

  test('has its binaries for Linux and macOS on both processors', () => {
    expect(findMissingBinaries(lock)).toEqual([]);
    expect(findMissingBinaries({ packages: {} })).toContain('node_modules/@biomejs/cli-darwin-arm64');
  });
});

describe('the checkout', () => {
  test('is named in no file', () => {
    const naming = (text: string) => text.includes(`${root}/`);
    expect(project.filter((file) => naming(file.text)).map((file) => file.path)).toEqual([]);
    expect(naming(`cd ${root}/bin`)).toBe(true);
  });

  test('has commands that can be run', () => {
    const commands = project.filter((file) => /^(bin|\.ci)\/[^/]+$/.test(file.path));
    expect(commands.map((file) => file.path)).toContain('bin/start');
    for (const { path, text } of commands) {
      expect(text, path).toMatch(/^#!\/bin\/sh\n# [A-Za-z-]/);
      expect(() => accessSync(`${root}/${path}`, constants.X_OK), path).not.toThrow();
    }
  });

  test('has pages that link to files that exist', () => {
    const pages = project.filter((file) => file.path.endsWith('.md'));
    expect(pages.flatMap((page) => findDeadLinks(page, (path) => existsSync(`${root}/${path}`)))).toEqual([]);
    const [page] = files(['docs/a.md', '[gone](../gone.md#part), [web](https://example.com), [here](#part)']);
    expect(page && findDeadLinks(page, () => false)).toEqual([{ link: '../gone.md#part', path: 'gone.md' }]);
  });
});
