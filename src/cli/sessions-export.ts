import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toError } from '../base/errors.ts';
import { type CliDeps, type Command, CommandFailed, type ExitCode } from './command.ts';
import { sessionPath, withOperator } from './operator.ts';
import { type Ask, askOrFail } from './server-client.ts';
import { keyOf } from './sessions.ts';

/** What the route answers, as far as it is used. */
type TranscriptPage = {
  readonly session_id: string;
  readonly settled_entry: string | null;
  readonly next: number | null;
  readonly entries: readonly unknown[];
};

export const sessionsExport: Command = {
  name: 'sessions export',
  usage: 'KEY [FILE]',
  summary: "Writes a conversation's transcript as JSON lines, as Claude Code keeps its own.",
  help: ['KEY  as "sessions list" shows it', 'FILE  a new file; without it, the standard output'],
  options: {},
  positionals: 2,

  async run({ positionals, flags }, deps) {
    const key = keyOf(positionals);
    const [, file] = positionals;
    return withOperator(deps, (ask) => {
      if (file !== undefined)
        return exportTo(resolve(deps.callerCwd, file), key, ask, flags.has('json'), deps);
      return exportHere(key, ask, flags.has('json'), deps);
    });
  },
};

async function exportHere(key: string, ask: Ask, json: boolean, deps: CliDeps): Promise<ExitCode> {
  const entries: unknown[] = [];
  for await (const page of readTranscript(key, ask)) {
    if (json) entries.push(...page.entries);
    else if (page.entries.length > 0) deps.out(toLines(page.entries));
    if (json && page.next === null) {
      const { session_id, settled_entry } = page;
      deps.out(JSON.stringify({ ok: true, key, session_id, settled_entry, entries }));
    }
  }
  return 0;
}

async function exportTo(
  path: string,
  key: string,
  ask: Ask,
  json: boolean,
  deps: CliDeps,
): Promise<ExitCode> {
  const pages = readTranscript(key, ask);
  // Before the file is made: a key that is none leaves no empty file behind.
  const first = await pages.next();
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw new CommandFailed('not_written', `${path} cannot be written: ${toError(error).message}`);
  });
  try {
    let count = 0;
    for (let page = first; page.done !== true; page = await pages.next()) {
      count += page.value.entries.length;
      if (page.value.entries.length > 0) await file.write(`${toLines(page.value.entries)}\n`);
    }
    const session_id = first.value?.session_id;
    if (json) deps.out(JSON.stringify({ ok: true, key, session_id, file: path, entries: count }));
    else deps.out(`Wrote ${count} entries of session ${session_id} to ${path}.`);
    return 0;
  } finally {
    await file.close();
  }
}

async function* readTranscript(key: string, ask: Ask): AsyncGenerator<TranscriptPage, undefined> {
  let after: number | null = null;
  do {
    const query: string = after === null ? '' : `&after=${after}`;
    const path = sessionPath(key, `/transcript?limit=1000${query}`);
    const page = (await askOrFail(ask, { method: 'GET', path })) as TranscriptPage;
    yield page;
    after = page.next;
  } while (after !== null);
  return undefined;
}

function toLines(entries: readonly unknown[]): string {
  return entries.map((entry) => JSON.stringify(entry)).join('\n');
}
