/** Names that are not ours any more, or never were, and what to say to somebody who sets them. */
import { VARIABLE_NAMES } from './variables.ts';

type Environment = Readonly<Record<string, string>>;

/** Read in place of the new name, which wins when both are set. */
const ALIASES: Readonly<Record<string, string>> = {
  BOTS_DIR: 'BOTS_DIRS',
  FASTAPI_HOST: 'HOST',
  FASTAPI_PORT: 'PORT',
};

/** Not read; the sentence names what took their place. */
const RETIRED: Readonly<Record<string, string>> = {
  FLASK_HOST: 'use HOST',
  FLASK_PORT: 'use PORT',
  TESTING: 'leave CAMPFIRE_URL unset and set OFFLINE_MODEL=on: nothing is posted to Campfire then',
  CONTEXT_DIR: 'what the server keeps is under DATA_DIR',
  FILE_TEMP_DIR: 'what the server keeps is under DATA_DIR',
  PROCESSED_FILES_DIR: 'what the server keeps is under DATA_DIR',
  FILE_DOWNLOAD_BASE_URL: 'use PUBLIC_URL',
  BRIEFING_BOT_KEY: 'use BOT_KEY_BRIEFING_ASSISTANT',
  SYSTEM_PROMPT: 'use system_prompt or system_prompt_file in a bot file in BOTS_DIRS',
  FINANCIAL_MCP_PATH: 'declare the server under mcp_servers in a bot file in BOTS_DIRS',
  SKILLS_DIR: 'nothing takes its place in this version',
  KNOWLEDGE_BASE_DIR: 'nothing takes its place in this version',
  KNOWLEDGE_BASE_PATH: 'nothing takes its place in this version',
  SUPABASE_URL: 'nothing takes its place in this version',
  SUPABASE_KEY: 'nothing takes its place in this version',
};

/** The environment with aliases read under their new names, and a warning for each name that is not current. */
export function replaceRetired(env: Environment): {
  readonly env: Environment;
  readonly warnings: readonly string[];
} {
  const aliased = Object.entries(ALIASES).flatMap(([old, name]) => {
    const value = env[old];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    env: { ...Object.fromEntries(aliased), ...env },
    warnings: Object.keys(env).flatMap((name) => warningOf(name, env) ?? []),
  };
}

function warningOf(name: string, env: Environment): string | null {
  const alias = ALIASES[name];
  if (alias !== undefined) {
    const taken = env[alias] === undefined ? '' : ', which is set: the old name is not read';
    return `${name} is now called ${alias}${taken}.`;
  }
  const sentence = RETIRED[name] ?? (name.startsWith('FLASK_') ? 'use HOST, PORT and LOG_LEVEL' : null);
  if (sentence !== null) return `${name} is not read any more: ${sentence}.`;
  return name.startsWith('FIREKEEPER_') ? unknownName(name) : null;
}

function unknownName(name: string): string {
  const bare = name.slice('FIREKEEPER_'.length);
  const known = VARIABLE_NAMES.some((variable) => variable === bare);
  return `${name} is unknown and not read${known ? `: use ${bare}` : ''}.`;
}
