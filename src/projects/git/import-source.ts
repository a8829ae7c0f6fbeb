import { lstat, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { ImportRefused } from '../repository.ts';
import type { Transport } from './environment.ts';

/** Where an import comes from, as git may be told. */
export type ImportSource = { readonly transport: Transport; readonly address: string };

const MOST_CHARACTERS = 2_000;

/** What a source is by its spelling: an absolute path or a plain `https` address. Throws `ImportRefused`. */
export function parseSource(source: string): ImportSource {
  if (source.length > MOST_CHARACTERS) throw new ImportRefused('its address is too long');
  if (/\p{Cc}/u.test(source)) throw new ImportRefused('its address holds control characters');
  if (source.startsWith('/')) return { transport: 'file', address: source };
  const url = /^https:\/\//i.test(source) ? URL.parse(source) : null;
  if (url === null || url.hostname === '' || url.hostname.startsWith('-'))
    throw new ImportRefused('only absolute paths and https addresses are taken');
  if (url.username !== '' || url.password !== '')
    throw new ImportRefused('its address holds a name or a password');
  return { transport: 'https', address: url.href };
}

/**
 * The real path of a local repository, a bare one or one with a `.git` folder. Refused when it is elsewhere than it
 * seems, or among the projects themselves: nobody reads another project by importing it.
 */
export async function findLocalSource(path: string, projects: string): Promise<string> {
  const missing = new ImportRefused('there is no git repository');
  const real = await realpath(path).catch(() => null);
  if (real === null || !(await isFolderAt(real))) throw missing;
  const inside = await lstat(join(real, '.git')).catch(() => null);
  if (inside !== null && !inside.isDirectory())
    throw new ImportRefused('its repository is kept elsewhere; name that place itself');
  const gitDir = inside === null ? real : join(real, '.git');
  for (const part of ['objects', 'refs']) if (!(await isFolderAt(join(gitDir, part)))) throw missing;
  if (`${real}${sep}`.startsWith(`${projects}${sep}`))
    throw new ImportRefused('it is a project of this server');
  return gitDir;
}

async function isFolderAt(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isDirectory() ?? false;
}
