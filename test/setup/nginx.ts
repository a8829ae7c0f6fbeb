/** Where this machine's nginx is. The tests of its configuration skip without one, except in CI, where they fail. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { foldersOn, isExecutable } from './executable.ts';

/** What `install-nginx.ts` unpacks. */
export const NGINX_FOLDER = fileURLToPath(new URL('../../node_modules/.cache/nginx', import.meta.url));

/** Debian keeps it where only root's PATH looks. */
const FOLDERS = ['/usr/sbin', '/usr/local/sbin', join(NGINX_FOLDER, 'usr/sbin')];

/** The executable's path: what `NGINX_PATH` says, or the first that is found; null when there is none. */
export function findNginx(env: NodeJS.ProcessEnv = process.env, folders = FOLDERS): string | null {
  const onPath = foldersOn(env.PATH);
  const candidates = [
    ...(env.NGINX_PATH ? [env.NGINX_PATH] : []),
    ...[...onPath, ...folders].map((folder) => join(folder, 'nginx')),
  ];
  return candidates.find(isExecutable) ?? null;
}

/** In CI a missing nginx is a failure, not a silence. */
export const hasNoNginx = findNginx() === null && !process.env.CI;
