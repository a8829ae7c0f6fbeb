/**
 * Debian and its like: nginx for the tests of its configuration, unpacked beside the dependencies. It is not installed:
 * that would start a web server on this machine. Half a megabyte; elsewhere nothing.
 */
import { NGINX_FOLDER } from './nginx.ts';

type Ground = {
  /** Runs a command to its end; resolves with its exit code. */
  run(command: string, args: readonly string[]): Promise<number>;
  say(line: string): void;
};

export async function installNginx({ run, say }: Ground): Promise<void> {
  if (process.platform !== 'linux') return;
  const script = `
    command -v apt-get && command -v dpkg-deb && mkdir -p "$1" && cd "$1" || exit 1
    download() { timeout 60 apt-get -qq download nginx; }
    download || { { [ "$(id -u)" = 0 ] || sudo -n true; } &&
      $([ "$(id -u)" = 0 ] || echo sudo -n) timeout 120 apt-get -qq update && download; } || exit 1
    dpkg-deb --extract nginx_*.deb . && rm nginx_*.deb && usr/sbin/nginx -v || rm -rf usr`;
  say('Fetching nginx for the tests of its configuration (once)…');
  await run('sh', ['-c', `{ ${script}\n } > /dev/null 2>&1`, 'sh', NGINX_FOLDER]);
}
