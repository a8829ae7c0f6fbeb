/** The files of bots on disk: which there are, what stands in them, and that none is read from elsewhere. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { toError } from '../base/errors.ts';

const MOST_FILES = 500;
const MOST_BYTES = 512 * 1024;

export type BotText = {
  readonly file: string;
  /** Null: unreadable; `error` says why. */
  readonly text: string | null;
  readonly error: string | null;
};

/** `files` null: the folder is there and cannot be read now, which says nothing about what is in it. */
export type FolderListing = { readonly files: readonly string[] | null; readonly error: string | null };

/** Bot files of one folder: JSON first, then YAML, each by name, so that what comes later wins. */
export async function listBotFiles(dir: string): Promise<FolderListing> {
  try {
    const names = (await readdir(dir)).filter((name) => !name.startsWith('.')).sort();
    const files = ['.json', '.yaml', '.yml'].flatMap((kind) =>
      names.filter((name) => extname(name) === kind),
    );
    if (files.length <= MOST_FILES) return { files: files.map((name) => join(dir, name)), error: null };
    const first = files.slice(0, MOST_FILES).map((name) => join(dir, name));
    return { files: first, error: `more than ${MOST_FILES} bot files: the rest is not read` };
  } catch (error) {
    const code = codeOf(error);
    return code === 'ENOENT'
      ? { files: [], error: 'does not exist' }
      : { files: null, error: `cannot be read: ${code}` };
  }
}

export async function readBotText(file: string): Promise<BotText> {
  try {
    if ((await stat(file)).size > MOST_BYTES) return { file, text: null, error: 'larger than 512 kB' };
    return { file, text: await readFile(file, 'utf8'), error: null };
  } catch (error) {
    return { file, text: null, error: `cannot be read: ${codeOf(error)}` };
  }
}

export type PromptText =
  | { readonly text: string; readonly file: string }
  | { readonly text: null; readonly error: string };

/**
 * The prompt that a bot file names: beside the file or in `prompts/` there, else where the predecessor kept it, as
 * `prompts/bots/<bot id>.md`. The real path stays inside the folder in which it was looked for, links or not.
 */
export async function readPrompt(botFile: string, named: string, botId: string): Promise<PromptText> {
  const dir = dirname(botFile);
  if (extname(named) !== '.md') return { text: null, error: 'allowed: the name of a .md file' };
  const candidates = [
    { root: dir, path: resolve(dir, named) },
    { root: dir, path: resolve(dir, 'prompts', named) },
    ...predecessorFolders(dir).flatMap((root) => [
      { root, path: resolve(root, named) },
      { root, path: join(root, `${botId}.md`) },
    ]),
  ];
  for (const { root, path } of candidates) {
    const real = await realpath(path).catch(() => null);
    if (real === null) continue;
    const realRoot = await realpath(root).catch(() => root);
    if (!real.startsWith(realRoot + sep))
      return { text: null, error: 'leads out of the folder of bot files' };
    const { text, error } = await readBotText(real);
    return text === null ? { text, error: `its file ${error}` } : { text, file: path };
  }
  return { text: null, error: 'no such file beside the bot file or in its prompts/ folder' };
}

/** Folders whose change may change a bot: each of `BOTS_DIRS` and the usual places of prompts. */
export function foldersOf(dirs: readonly string[]): readonly string[] {
  return dirs.flatMap((dir) => [dir, join(dir, 'prompts'), ...predecessorFolders(dir)]);
}

/**
 * What tells one state of the folders from another: name, size, inode and time of change of each file in them.
 * Cheap enough to be asked for every few seconds.
 */
export async function fingerprintFolders(folders: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const folder of folders) {
    const names = await readdir(folder).catch(() => []);
    const files = names.filter((name) => /\.(json|ya?ml|md)$/.test(name)).sort();
    for (const name of files.slice(0, MOST_FILES)) {
      const state = await stat(join(folder, name), { bigint: true }).catch(() => null);
      parts.push(`${folder}/${name} ${state?.size} ${state?.ino} ${state?.mtimeNs} ${state?.ctimeNs}`);
    }
  }
  return parts.join('\n');
}

/** Its bots stood in `bots/` or `prompts/configs/`, their prompts in `prompts/bots/`, whatever name the file gave. */
function predecessorFolders(dir: string): readonly string[] {
  const beside =
    basename(dirname(dir)) === 'prompts' ? join(dirname(dir), 'bots') : join(dirname(dir), 'prompts/bots');
  return [join(dir, 'prompts/bots'), beside];
}

function codeOf(thrown: unknown): string {
  const error = toError(thrown);
  return 'code' in error ? String(error.code) : error.name;
}
