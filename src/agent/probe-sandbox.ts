import { execFile } from 'node:child_process';
import { delimiter, isAbsolute } from 'node:path';
import { promisify } from 'node:util';
import { toError } from '../base/errors.ts';
import { findProgram } from '../base/find-program.ts';

/** Whether this host keeps the commands of agents apart from everything else. `reason` begins in lower case. */
export type SandboxProbe = { readonly kind: 'works' } | { readonly kind: 'missing'; readonly reason: string };

/** What the sandbox is made of, and Debian's package of each. */
const PROGRAMS = [
  ['bwrap', 'bubblewrap'],
  ['socat', 'socat'],
] as const;

const PROBE_LIMIT_MS = 10_000;

/** Looks for the programs on `path`, as an agent will, and has one command run as the sandbox runs them. */
export async function probeSandbox(
  path: string,
  platform: NodeJS.Platform = process.platform,
): Promise<SandboxProbe> {
  if (platform !== 'linux') return missing('its sandbox is there on Linux only');
  const folders = path.split(delimiter).filter(isAbsolute);
  const found = await Promise.all(PROGRAMS.map(([program]) => findProgram(program, folders)));
  const lacking = PROGRAMS.flatMap(([, debianPackage], index) =>
    found[index] === null ? [debianPackage] : [],
  );
  if (lacking.length > 0) return missing(`its sandbox needs ${lacking.join(' and ')}, not installed here`);
  try {
    await promisify(execFile)(found[0] ?? '', ISOLATED, { env: { PATH: path }, timeout: PROBE_LIMIT_MS });
    return { kind: 'works' };
  } catch (error) {
    return missing(`bubblewrap cannot start a sandbox here (${saidBy(error)})`);
  }
}

/** Namespaces and mounts of their own: what containers and hardened kernels refuse. */
const ISOLATED = [
  ...['--new-session', '--die-with-parent', '--unshare-net', '--unshare-pid', '--unshare-user'],
  ...[
    '--ro-bind',
    '/',
    '/',
    '--tmpfs',
    '/tmp',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--',
    '/bin/sh',
    '-c',
    ':',
  ],
];

function saidBy(thrown: unknown): string {
  const error = toError(thrown);
  const stderr = 'stderr' in error ? String(error.stderr).trim() : '';
  return (stderr || error.message).split('\n')[0]?.slice(0, 200) ?? '';
}

function missing(reason: string): SandboxProbe {
  return { kind: 'missing', reason };
}
