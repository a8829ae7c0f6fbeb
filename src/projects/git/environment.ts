/** What every git process is started with, so that nothing but our own words decides what it does. */

/** Transports that one call may use; without one, git reaches nothing but the repository it was given. */
export type Transport = 'file' | 'https';

/** What a connection to the outside may need of the server's environment. */
const NETWORK_NAMES = [
  'HTTPS_PROXY',
  'https_proxy',
  'ALL_PROXY',
  'all_proxy',
  'NO_PROXY',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/**
 * No configuration of the system or of a user, no prompt, no home. Messages are in English, since some are read.
 * `GIT_ALLOW_PROTOCOL` reaches git's own children too, which `-c` does not.
 */
export function toGitEnvironment(
  base: Readonly<Record<string, string>>,
  transport: Transport | null,
): Record<string, string> {
  const names = transport === 'https' ? ['PATH', ...NETWORK_NAMES] : ['PATH'];
  const kept = names.flatMap((name) => (base[name] === undefined ? [] : [[name, base[name]]]));
  return {
    ...Object.fromEntries(kept),
    LANG: 'C',
    LC_ALL: 'C',
    HOME: '/nonexistent',
    XDG_CONFIG_HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_ALLOW_PROTOCOL: transport ?? '',
  };
}

/**
 * Stronger than what stands in a repository's own file. Objects and references are on disk before git says so, because
 * the database names them next. Names that other systems take for `.git` are refused by `file-name.ts`.
 */
export const SETTINGS: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.symlinks=false',
  'core.fsmonitor=false',
  'core.untrackedCache=false',
  'core.fileMode=true',
  'core.autocrlf=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.quotePath=false',
  'core.logAllRefUpdates=false',
  'core.fsync=committed,reference',
  'core.fsyncMethod=batch',
  'core.protectHFS=false',
  'core.protectNTFS=false',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'fetch.unpackLimit=1',
  'http.followRedirects=false',
  'credential.helper=',
  'gc.auto=0',
  'maintenance.auto=false',
].flatMap((setting) => ['-c', setting]);

/**
 * Goes before every attribute that a project's own files set: what is stored is what was there, byte for byte, and an
 * archive holds every file as it is.
 */
export const ATTRIBUTES =
  '* -text !eol !crlf -ident -filter !working-tree-encoding -export-subst -export-ignore -merge !diff\n';
