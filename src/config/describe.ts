/** The effective configuration as a person may see it: every variable, secrets told by their length only. */
import { SECRETS, VARIABLE_NAMES, type Variables, WHEN_UNSET } from './variables.ts';

export type ConfigLine = {
  readonly variable: string;
  /** What holds, in the variable's own terms; secrets masked. */
  readonly value: string;
  readonly from: 'set' | 'default';
};

export function describeVariables(
  effective: Variables,
  given: ReadonlySet<string>,
  further: Readonly<Record<string, string>>,
): readonly ConfigLine[] {
  const lines = VARIABLE_NAMES.map(
    (name): ConfigLine => ({
      variable: name,
      value: show(name, effective[name]),
      from: given.has(name) ? 'set' : 'default',
    }),
  );
  const rest = Object.entries(further).map(
    ([variable, value]): ConfigLine => ({ variable, value: mask(variable, value), from: 'set' }),
  );
  return [...lines, ...rest];
}

/** What was read, as it may stand in an error message, a log or a terminal. */
export function mask(name: string, read: string): string {
  if (SECRETS.has(name) || name.startsWith('BOT_KEY_')) return `(hidden, ${read.length} characters)`;
  return read.replace(/\/\/[^/@\s]*@/g, '//hidden@');
}

function show(name: keyof Variables, value: Variables[keyof Variables]): string {
  if (value === undefined) return WHEN_UNSET[name]?.replaceAll('`', '') ?? 'none';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'object') return value.join(',');
  if (name === 'DATABASE_URL' || name === 'REDIS_URL') return withoutSecrets(String(value));
  return mask(name, String(value));
}

/** User, password and query can each hold a password; where the database is helps whoever looks. */
function withoutSecrets(address: string): string {
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname}`;
}
