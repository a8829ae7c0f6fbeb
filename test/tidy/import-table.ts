/** Who may know whom: the table of `docs/architecture.md`, read from there, so that page and check cannot part. */
import { posix } from 'node:path';
import { isProduct } from './rule.ts';
import { place, type SourceFile } from './source.ts';

/** Folder → the folders that it may import; `'any'` where it may import every face. */
export type ImportTable = ReadonlyMap<string, ReadonlySet<string> | 'any'>;

/** Everybody may import these, their insides too. */
const GROUND = new Set(['base', 'telemetry']);
/** These build and start everything, so they know everything. */
const KNOWS_ALL = /^src\/(app|main|doctor|data-folder)(\.ts$|\/)/;

/** Rows `| folders | may import |` under the heading "Who may import whom". */
export function parseImportTable(page: string): ImportTable {
  const section = page.split(/^## /m).find((part) => part.startsWith('Who may import whom')) ?? '';
  const rows = [...section.matchAll(/^\| *([a-z, ]+?) *\| *(.+?) *\|$/gm)].filter(
    ([, who]) => who !== 'folder',
  );
  return new Map(
    rows.flatMap(([, who = '', whom = '']) => {
      const allowed = whom === 'any face' ? 'any' : new Set(whom.match(/[a-z]+/g) ?? []);
      return who.split(', ').map((folder) => [folder, allowed] as const);
    }),
  );
}

/** `src/chat/campfire/post.ts` → `chat`; `src/config.ts` → `config`. */
export function folderOf(path: string): string {
  return path.split('/')[1]?.replace(/\.ts$/, '') ?? '';
}

/** Imports of other folders by product code, as `[file, where it stands, what it imports]`. */
function crossings(files: readonly SourceFile[]): { file: SourceFile; start: number; target: string }[] {
  return files
    .filter((file) => isProduct(file.path) && !KNOWS_ALL.test(file.path))
    .flatMap((file) =>
      file.imports
        .filter(({ from }) => from.startsWith('.'))
        .map(({ from, start }) => ({ file, start, target: posix.join(posix.dirname(file.path), from) }))
        .filter(({ target }) => !target.startsWith('src/') || folderOf(target) !== folderOf(file.path)),
    );
}

/** Imports that reach past another folder's face, or out of `src`. */
export function findInsideImports(files: readonly SourceFile[]): string[] {
  return crossings(files)
    .filter(({ file, target }) => {
      const folder = folderOf(target);
      if (target.startsWith('migrations/')) return folderOf(file.path) !== 'store';
      if (!target.startsWith('src/')) return target !== 'package.json';
      if (GROUND.has(folder)) return false;
      return target !== `src/${folder}/${folder}.ts` && target !== `src/${folder}.ts`;
    })
    .map(({ file, start, target }) => `${place(file, start)} imports ${target}, which is nobody's face`);
}

/** Imports of a folder that the table does not allow. */
export function findForbiddenImports(files: readonly SourceFile[], table: ImportTable): string[] {
  return crossings(files)
    .filter(({ target }) => target.startsWith('src/') && !GROUND.has(folderOf(target)))
    .filter(({ file, target }) => {
      const allowed = table.get(folderOf(file.path));
      return allowed !== 'any' && !allowed?.has(folderOf(target));
    })
    .map(
      ({ file, start, target }) =>
        `${place(file, start)}: ${folderOf(file.path)} may not import ${folderOf(target)}`,
    );
}

/** Folders of `src` without a row in the table. */
export function findUnlistedFolders(files: readonly SourceFile[], table: ImportTable): string[] {
  const folders = files
    .filter((file) => isProduct(file.path) && !KNOWS_ALL.test(file.path))
    .map((file) => folderOf(file.path));
  return [...new Set(folders)].filter((folder) => !table.has(folder));
}

/** Folders of `src` without the file that has their name. `store` needs none: `app.ts` alone knows its backends. */
export function findFacelessFolders(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map((file) => file.path));
  const folders = [...paths].filter((path) => isProduct(path) && path.split('/').length > 2).map(folderOf);
  return [...new Set(folders)].filter(
    (folder) =>
      ![...GROUND, 'store'].includes(folder) &&
      !paths.has(`src/${folder}/${folder}.ts`) &&
      !paths.has(`src/${folder}.ts`),
  );
}

/** Circles among folders, each as `a → b → a`. */
export function findCircles(files: readonly SourceFile[]): string[] {
  const edges = new Map<string, Set<string>>();
  for (const { file, target } of crossings(files)) {
    if (!target.startsWith('src/')) continue;
    const from = folderOf(file.path);
    edges.set(from, (edges.get(from) ?? new Set()).add(folderOf(target)));
  }
  const circles = new Set<string>();
  const done = new Set<string>();
  for (const folder of edges.keys()) follow(folder, []);
  return [...circles];

  function follow(folder: string, path: readonly string[]): void {
    const at = path.indexOf(folder);
    if (at >= 0) circles.add([...path.slice(at), folder].join(' → '));
    if (at >= 0 || done.has(folder)) return;
    for (const next of edges.get(folder) ?? []) follow(next, [...path, folder]);
    done.add(folder);
  }
}
