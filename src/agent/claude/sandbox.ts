import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SandboxSettings } from '@anthropic-ai/claude-agent-sdk';
import type { AgentSpec } from '../agent.ts';

/** What agents with Bash are given. */
export type Shell = {
  /** Besides the data folder: what no command reads, though it may lie among the system's own folders. */
  readonly secretFolders: readonly string[];
};

/**
 * The walls around an agent's commands: they read system programs and their own working directory, write the latter
 * and a folder for temporary files, reach no network, and see no credential. What is not named here is empty to them,
 * the data folder (which the homes lie in) wherever it is.
 */
export function toSandbox(
  spec: Pick<AgentSpec, 'env' | 'endpoint'>,
  homes: string,
  { secretFolders }: Shell,
): SandboxSettings {
  const others = readdirSync('/').filter((name) => !SYSTEM.has(name));
  return {
    enabled: true,
    failIfUnavailable: true,
    allowUnsandboxedCommands: false,
    autoAllowBashIfSandboxed: true,
    network: { allowedDomains: [], strictAllowlist: true, allowAllUnixSockets: false },
    filesystem: {
      denyRead: [...others.map((name) => join('/', name)), '/etc', dirname(homes), ...secretFolders],
      allowRead: OF_ETC.map((name) => join('/etc', name)).filter((path) => existsSync(path)),
    },
    credentials: { envVars: hiddenVariables(spec).map((name) => ({ name, mode: 'deny' })) },
  };
}

const SYSTEM: ReadonlySet<string> = new Set([
  ...['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'usr'],
  ...['etc', 'dev', 'proc', 'sys'],
]);

/** Names, certificates, and what programs are found and linked by; the rest of it may hold somebody's secrets. */
const OF_ETC = [
  ...[
    'alternatives',
    'bash.bashrc',
    'ld.so.cache',
    'ld.so.conf',
    'ld.so.conf.d',
    'profile',
    'shells',
    'terminfo',
  ],
  ...['passwd', 'group', 'hosts', 'nsswitch.conf', 'protocols', 'resolv.conf', 'services'],
  ...['ca-certificates', 'crypto-policies', 'pki/ca-trust', 'ssl/certs', 'ssl/openssl.cnf'],
  ...['locale.alias', 'localtime', 'timezone', 'magic', 'mime.types', 'os-release'],
];

/** What a bot file adds is for its process and its servers: a key among it is nobody's in the room. */
function hiddenVariables({ env, endpoint }: Pick<AgentSpec, 'env' | 'endpoint'>): readonly string[] {
  const names = [...CREDENTIALS, ...Object.keys(endpoint.env), ...Object.keys(env)];
  return [...new Set(names)].filter((name) => name !== 'PATH');
}

const CREDENTIALS = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'];
