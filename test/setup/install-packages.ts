/** Debian and its like: what some tests need, installed where that needs no question asked. Elsewhere nothing. */

type Ground = {
  /** Runs a command to its end; resolves with its exit code. */
  run(command: string, args: readonly string[]): Promise<number>;
  say(line: string): void;
};

export async function installChromium(ground: Ground): Promise<void> {
  await install(ground, 'Chromium for the browser tests', 'get chromium');
}

/** The programs alone: the package's own database server is neither made nor started, and its settings stay as they are. */
export async function installPostgres(ground: Ground): Promise<void> {
  const settings = '/etc/postgresql-common/createcluster.conf';
  await install(
    ground,
    'Postgres for the tests on it',
    `get postgresql-common && cp ${settings} ${settings}.kept && echo 'create_main_cluster = false' >> ${settings} &&
    { get postgresql; mv ${settings}.kept ${settings}; }`,
  );
}

export async function installSandbox(ground: Ground): Promise<void> {
  await install(ground, 'bubblewrap and socat for the tests of sandboxed commands', 'get bubblewrap socat');
}

export async function installStrace(ground: Ground): Promise<void> {
  await install(ground, 'strace for the test that counts syncs', 'get strace');
}

async function install(ground: Ground, what: string, script: string): Promise<void> {
  const root = process.getuid?.() === 0;
  if (process.platform !== 'linux' || !(await succeeds(ground, ['sh', '-c', 'command -v apt-get']))) return;
  if (!root && !(await succeeds(ground, ['sudo', '-n', 'true']))) return;
  ground.say(`Installing ${what} (a minute or so, once)…`);
  const quietly = 'DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -qq';
  const whole = `get() { ${quietly} install -y --no-install-recommends "$@"; }; ${quietly} update && ${script}`;
  await succeeds(ground, [...(root ? [] : ['sudo', '-n']), 'sh', '-c', whole]);
}

async function succeeds({ run }: Ground, command: readonly string[]): Promise<boolean> {
  return (await run('sh', ['-c', '"$@" > /dev/null 2>&1', 'sh', ...command])) === 0;
}
