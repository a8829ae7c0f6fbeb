/** Debian and its like: Chromium for the browser tests, where that needs no question asked. Elsewhere nothing. */

type Ground = {
  /** Runs a command to its end; resolves with its exit code. */
  run(command: string, args: readonly string[]): Promise<number>;
  say(line: string): void;
};

export async function installChromium(ground: Ground): Promise<void> {
  const root = process.getuid?.() === 0;
  const ask = root ? [] : ['sudo', '-n'];
  if (process.platform !== 'linux' || (await succeeds(ground, 'command -v apt-get')) === false) return;
  if (!root && (await succeeds(ground, 'sudo -n true')) === false) return;

  ground.say('Installing Chromium for the browser tests (a minute or so, once)…');
  const aptGet = [...ask, 'env', 'DEBIAN_FRONTEND=noninteractive', 'timeout', '300', 'apt-get', '-qq'].join(
    ' ',
  );
  await succeeds(ground, `${aptGet} update && ${aptGet} install -y --no-install-recommends chromium`);
}

async function succeeds(ground: Ground, script: string): Promise<boolean> {
  return (await ground.run('sh', ['-c', `{ ${script}; } > /dev/null 2>&1`])) === 0;
}
