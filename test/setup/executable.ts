/** Programs that some tests need, looked for on this machine. */
import { accessSync, constants } from 'node:fs';
import { delimiter } from 'node:path';

/** The folders of a PATH. */
export function foldersOn(path = ''): readonly string[] {
  return path.split(delimiter).filter((folder) => folder !== '');
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
