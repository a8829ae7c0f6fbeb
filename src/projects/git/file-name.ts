/** Code points that HFS+ leaves out when it compares names. */
const IGNORED_BY_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/**
 * Whether a name may stand in a tree: not empty, not `.` or `..`, and nothing that git, HFS+ or NTFS takes for `.git`.
 * The name's bytes as latin1.
 */
export function isTrackableName(name: string): boolean {
  if (name === '' || name === '.' || name === '..') return false;
  return name.split('\\').every((part) => !isGitName(part));
}

export function isTrackablePath(path: string): boolean {
  return path.split('/').every(isTrackableName);
}

function isGitName(name: string): boolean {
  const plain = Buffer.from(name, 'latin1')
    .toString('utf8')
    .replace(IGNORED_BY_HFS, '')
    .toLowerCase()
    .replace(/:.*$/s, '')
    .replace(/[. ]+$/, '');
  return plain === '.git' || /^git~\d+$/.test(plain);
}
