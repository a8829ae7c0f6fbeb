/** Where this machine's Postgres is. Tests that need one skip without it, except in CI, where they fail. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { foldersOn, isExecutable } from './executable.ts';

/** Where Debian and its like keep the server's programs: a folder for each version, and none of them on the PATH. */
const VERSIONS = '/usr/lib/postgresql';

/** The folder that holds `initdb` and `postgres`: on the PATH, or the newest of Debian's; null when there is none. */
export function findPostgres(env: NodeJS.ProcessEnv = process.env, versions = VERSIONS): string | null {
  const onPath = foldersOn(env.PATH);
  const found = [...onPath, ...listVersions(versions)].find((folder) =>
    ['initdb', 'postgres'].every((program) => isExecutable(join(folder, program))),
  );
  return found ?? null;
}

function listVersions(versions: string): readonly string[] {
  try {
    return readdirSync(versions)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(versions, version, 'bin'));
  } catch {
    return [];
  }
}
