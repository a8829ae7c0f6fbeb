import { execFile } from 'node:child_process';
import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { findProgram } from '../../base/find-program.ts';

/** Bubblewrap, tried on this host. */
export type Sandbox = {
  readonly executable: string;
  /** What a command may read besides its working directory: the system's programs, and node with its own. */
  readonly readable: readonly string[];
  /** Links at the top of the file system, such as `/bin`, with where they point. */
  readonly links: readonly (readonly [path: string, target: string])[];
  /** Where programs are found inside. */
  readonly path: string;
};

export type FoundSandbox =
  | { readonly kind: 'found'; readonly sandbox: Sandbox }
  /** In words for an operator. */
  | { readonly kind: 'none'; readonly reason: string };

export type SandboxFacts = {
  readonly workdir: string;
  /** Folders that nobody inside may see, though they may lie in one that is readable. */
  readonly hidden: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

const PROBE_LIMIT_MS = 10_000;
const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin'];
const TOP_FOLDERS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Programs and libraries, and the little of the configuration that they do not work without; no secret lies there. */
const READABLE = [
  '/usr',
  '/nix/store',
  '/etc/alternatives',
  '/etc/ca-certificates',
  '/etc/fonts',
  '/etc/group',
  '/etc/hosts',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/mime.types',
  '/etc/nsswitch.conf',
  '/etc/passwd',
  '/etc/pki/tls/certs',
  '/etc/ssl/certs',
  '/etc/timezone',
];

/** Looks for bubblewrap and starts something in it: that it is installed says nothing about what the host allows. */
export async function findSandbox(deps: {
  readonly platform: NodeJS.Platform;
  /** The allowed part of the server's environment; its PATH says where programs are. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly clock: Clock;
}): Promise<FoundSandbox> {
  if (deps.platform !== 'linux') return { kind: 'none', reason: 'bubblewrap runs on Linux only' };
  const folders = (deps.baseEnv.PATH ?? '').split(delimiter).filter(isAbsolute);
  const executable = await findProgram('bwrap', [...folders, ...SYSTEM_PATH]);
  if (executable === null) return { kind: 'none', reason: 'bubblewrap (bwrap) is not installed' };
  const node = await findNode(folders);
  const sandbox = {
    executable,
    ...(await findReadable(node)),
    path: [...node, ...SYSTEM_PATH].join(delimiter),
  };
  const failure = await probe(sandbox, deps.clock);
  if (failure === null) return { kind: 'found', sandbox };
  return { kind: 'none', reason: `bubblewrap does not work on this host: ${failure}` };
}

/**
 * What bubblewrap is told: namespaces of its own, so that there is no network and no other process; nothing of the file
 * system but what is named here; no privilege; and the end of everything with the end of its parent.
 */
export function toArguments(sandbox: Sandbox, facts: SandboxFacts): readonly string[] {
  const isInside = (folder: string) => sandbox.readable.some((one) => `${folder}/`.startsWith(`${one}/`));
  return [
    ...['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...['--tmpfs', '/tmp'],
    ...sandbox.readable.flatMap((path) => ['--ro-bind', path, path]),
    ...sandbox.links.flatMap(([path, target]) => ['--symlink', target, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...facts.hidden.filter(isInside).flatMap((folder) => ['--tmpfs', folder]),
    ...['--bind', facts.workdir, facts.workdir, '--remount-ro', '/'],
    ...['--chdir', facts.workdir, '--clearenv'],
    ...Object.entries(facts.env).flatMap(([name, value]) => ['--setenv', name, value]),
    '--',
  ];
}

async function findReadable(node: readonly string[]): Promise<Pick<Sandbox, 'readable' | 'links'>> {
  const links: [string, string][] = [];
  const readable: string[] = [];
  for (const path of TOP_FOLDERS) {
    const found = await lstat(path).catch(() => null);
    if (found?.isSymbolicLink()) links.push([path, await readlink(path)]);
    else if (found?.isDirectory()) readable.push(path);
  }
  const besides = node.filter((folder) => basename(folder) === 'bin');
  const modules = besides.map((folder) => join(dirname(folder), 'lib', 'node_modules'));
  for (const path of [...READABLE, ...node, ...modules]) {
    if (readable.some((one) => `${path}/`.startsWith(`${one}/`))) continue;
    if ((await stat(path).catch(() => null)) !== null) readable.push(path);
  }
  return { readable, links };
}

/** The folder in which node is found, and that in which it really lies. */
async function findNode(folders: readonly string[]): Promise<readonly string[]> {
  const node = await findProgram('node', folders);
  return node === null ? [] : [...new Set([dirname(node), dirname(await realpath(node))])];
}

/** Null: it works. Otherwise the first thing that it said. */
async function probe(sandbox: Sandbox, clock: Clock): Promise<string | null> {
  const limit = new AbortController();
  const cancel = clock.after(PROBE_LIMIT_MS, () => limit.abort());
  const args = [...toArguments(sandbox, { workdir: '/usr', hidden: [], env: {} }), '/bin/true'];
  const options = { env: {}, signal: limit.signal, killSignal: 'SIGKILL' as const };
  try {
    return await new Promise((resolve) => {
      execFile(sandbox.executable, args, options, (error, _stdout, stderr) => {
        const said = stderr.trim().split('\n')[0] ?? '';
        resolve(error === null ? null : said.slice(0, 200) || error.message.slice(0, 200));
      });
    });
  } finally {
    cancel();
  }
}
