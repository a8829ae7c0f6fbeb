import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { toConversationKey } from '../base/conversation.ts';
import { botId, type ConversationKey, roomId, type SessionId } from '../base/terms.ts';
import { type Bots, ttlIn } from '../bots/bots.ts';
import { type Config, loadConfig } from '../config.ts';
import type { SessionRecord } from '../session/session.ts';
import { type CacheFile, listCacheFiles, readCacheFile } from './cache-file.ts';
import { type ReadTranscript, readClaudeTranscript } from './claude-transcript.ts';
import { type CliDeps, type Command, CommandFailed, UsageError } from './command.ts';
import { findTranscripts, type TranscriptFiles } from './find-transcripts.ts';
import type { OpenFolder } from './operator.ts';
import { readBots } from './read-bots.ts';

/** Why a file was not taken. `expired` and `has_session` lose nothing; the others are failures. */
export type SkipReason =
  | 'corrupt'
  | 'unknown_bot'
  | 'per_user'
  | 'no_transcript'
  | 'bad_transcript'
  | 'already_imported'
  | 'expired'
  | 'has_session';

export type ImportReport = {
  readonly imported: readonly {
    readonly file: string;
    readonly key: ConversationKey;
    readonly session_id: SessionId;
    readonly turns: number;
  }[];
  readonly skipped: readonly {
    readonly file: string;
    readonly reason: SkipReason;
    readonly detail: string;
  }[];
};

const HARMLESS: ReadonlySet<SkipReason> = new Set(['expired', 'has_session', 'already_imported']);
const MOST_TRANSCRIPT_BYTES = 256 * 1024 * 1024;

export const importSessionCache: Command = {
  name: 'import-session-cache',
  usage: 'DIR [--transcripts DIR] [--force]',
  summary: "Takes in the predecessor's conversations, so that they go on here. Stop the server first.",
  help: [
    'DIR  its session_cache folder, with files session_<room>_<bot>.json',
    "--transcripts DIR  Claude Code's folder, with projects/*/<session id>.jsonl (default: ~/.claude)",
    '--force  takes a conversation in although it has a session here, which ends',
  ],
  options: { transcripts: { type: 'string' }, force: { type: 'boolean' } },
  positionals: 1,

  async run({ positionals, flags, texts }, deps) {
    const [dir] = positionals;
    if (dir === undefined) throw new UsageError('from where? DIR is missing');
    const { config } = loadConfig(deps.cwd);
    const cacheDir = resolve(deps.callerCwd, dir);
    const transcripts = texts.get('transcripts');
    const transcriptsDir =
      transcripts === undefined ? join(homedir(), '.claude') : resolve(deps.callerCwd, transcripts);
    const files = await listCacheFiles(cacheDir);
    const report = await withFolder(config, deps, async (folder) =>
      importAll(files, {
        folder,
        config,
        bots: await readBots(config),
        transcripts: await findTranscripts(transcriptsDir),
        force: flags.has('force'),
      }),
    );
    const ok = report.skipped.every(({ reason }) => HARMLESS.has(reason));
    deps.out(flags.has('json') ? JSON.stringify({ ok, ...report }) : toText(report));
    return ok ? 0 : 1;
  },
};

async function withFolder<Result>(
  config: Config,
  deps: CliDeps,
  work: (folder: OpenFolder) => Promise<Result>,
): Promise<Result> {
  const opened = await deps.openFolder(config, 'or-new');
  if (opened.kind === 'missing') throw new Error('a folder that may be made is never missing');
  if (opened.kind === 'held') throw new CommandFailed('in_use', opened.detail);
  try {
    return await work(opened.folder);
  } finally {
    await opened.folder.close();
  }
}

type Around = {
  readonly folder: OpenFolder;
  readonly config: Config;
  readonly bots: Bots;
  readonly transcripts: TranscriptFiles;
  readonly force: boolean;
};

async function importAll(files: readonly string[], around: Around): Promise<ImportReport> {
  const imported: ImportReport['imported'][number][] = [];
  const skipped: ImportReport['skipped'][number][] = [];
  for (const path of files) {
    const file = basename(path);
    const outcome = await importOne(path, around);
    if (outcome.kind === 'skipped') skipped.push({ file, reason: outcome.reason, detail: outcome.detail });
    else imported.push({ file, key: outcome.key, session_id: outcome.sessionId, turns: outcome.turns });
  }
  return { imported, skipped };
}

type Outcome =
  | {
      readonly kind: 'imported';
      readonly key: ConversationKey;
      readonly sessionId: SessionId;
      readonly turns: number;
    }
  | { readonly kind: 'skipped'; readonly reason: SkipReason; readonly detail: string };

function skip(reason: SkipReason, detail: string): Outcome {
  return { kind: 'skipped', reason, detail };
}

/** The cheap questions first; nothing is written before all are answered. */
async function importOne(path: string, around: Around): Promise<Outcome> {
  const { folder, config, bots, force } = around;
  const found = await readCacheFile(path, config.timeZone);
  if (typeof found === 'string') return skip('corrupt', found);

  const bot = bots.get(botId(found.botId));
  if (bot === null) return skip('unknown_bot', `there is no bot ${found.botId} in BOTS_DIRS`);
  if (bot.sessionScope === 'user')
    return skip('per_user', `${bot.id} has a conversation with each person, this one was the room's`);
  const ttlMs = ttlIn(bot, roomId(found.roomId));
  if (ttlMs !== null && systemClock.now() - found.lastUsedAt > ttlMs)
    return skip('expired', 'not used for longer than its time to live');

  const key = toConversationKey({
    chat: folder.chat,
    roomId: roomId(found.roomId),
    botId: bot.id,
    userId: null,
  });
  if (await folder.isKnownSession(found.sessionId))
    return skip('already_imported', `session ${found.sessionId} is here already`);
  if (!force && (await folder.current(key)) !== null)
    return skip('has_session', `${key} has a session here; --force ends that one`);

  const transcript = await readTranscript(found.sessionId, around.transcripts);
  if (transcript === null) return skip('no_transcript', `there is no ${found.sessionId}.jsonl`);
  if (transcript.kind === 'bad') return skip('bad_transcript', transcript.reason);
  await folder.adopt(toRecord(found, key, transcript), transcript.entries);
  return { kind: 'imported', key, sessionId: found.sessionId, turns: transcript.turnCount };
}

async function readTranscript(id: SessionId, files: TranscriptFiles): Promise<ReadTranscript | null> {
  const path = files.get(id);
  if (path === undefined) return null;
  const { size } = await stat(path);
  if (size > MOST_TRANSCRIPT_BYTES) return { kind: 'bad', reason: 'it is larger than 256 MB' };
  return readClaudeTranscript(await readFile(path, 'utf8'), id);
}

function toRecord(
  found: CacheFile,
  conversation: ConversationKey,
  { settledEntry, turnCount }: Extract<ReadTranscript, { kind: 'good' }>,
): SessionRecord {
  return {
    sessionId: found.sessionId,
    conversation,
    state: 'active',
    settledEntry,
    // Of no spec that there is: the agent that resumes it writes its own.
    fingerprint: 'imported',
    createdAt: found.createdAt,
    // A clock that was wrong then must not keep the session for ever.
    lastUsedAt: Math.min(found.lastUsedAt, systemClock.now()),
    turnCount,
    costUsd: 0,
    lastTier: 'cold',
    lastStart: 'new',
    memoryAtRiskAt: null,
  };
}

function toText({ imported, skipped }: ImportReport): string {
  return [
    ...imported.map(({ file, key, turns }) => `  ✓ ${file}: ${key}, ${turns} turns`),
    ...skipped.map(({ file, reason, detail }) => `  ${HARMLESS.has(reason) ? '-' : '✗'} ${file}: ${detail}`),
    '',
    `${imported.length} taken in, ${skipped.length} left out.`,
  ].join('\n');
}
