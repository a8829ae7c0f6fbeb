import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { BotId } from '../base/terms.ts';
import type { Bot, BotProblem, Bots, BotsDeps } from './bots.ts';
import { buildBot, buildOnlyBot } from './build.ts';
import { type Candidate, chooseBots, defaultOf, findByKey } from './choose.ts';
import { foldersOf, listBotFiles, readBotText, readPrompt } from './folders.ts';
import { parseBotFile } from './parse.ts';
import { watchFolders } from './watch.ts';

/** One file's state: `bot` null while it never was usable; `promptFolder` is watched with the folders of bot files. */
type ReadFile = {
  readonly file: string;
  readonly bot: Bot | null;
  readonly promptFolder: string | null;
  readonly problems: readonly BotProblem[];
};

/** The bots on disk, read now and again when a file of theirs changes. A bad edit keeps the last good version. */
export async function makeBots(deps: BotsDeps): Promise<Bots> {
  let files: ReadonlyMap<string, ReadFile> = new Map();
  let bots: ReadonlyMap<BotId, Bot> = new Map();
  let problems: readonly BotProblem[] = [];

  async function read(): Promise<void> {
    const { read: next, problems: ofFolders, unread } = await readFolders(deps, files);
    files = new Map([...next, ...unread].map((file) => [file.file, file]));
    const candidates = [...files.values()].flatMap(({ file, bot }): Candidate[] =>
      bot ? [{ file, bot }] : [],
    );
    const chosen =
      files.size === 0
        ? chooseBots([{ file: 'built in', bot: buildOnlyBot(deps.defaults) }], deps.defaults)
        : chooseBots(candidates, deps.defaults);
    const former = bots;
    bots = new Map(chosen.bots.map((bot) => [bot.id, keepIdentity(former.get(bot.id), bot)]));
    const formerProblems = problems;
    problems = [...ofFolders, ...[...files.values()].flatMap((file) => file.problems), ...chosen.problems];
    tellNews(deps, formerProblems, problems);
  }

  const reload = oneAtATime(read);
  const watch = await watchFolders({
    folders: () => [...new Set([...foldersOf(deps.dirs), ...promptFolders(files)])],
    clock: deps.clock,
    onChange: () => void reload(),
  });
  await reload();

  return {
    get: (id) => bots.get(id) ?? null,
    default: () => defaultOf([...bots.values()]),
    byKey: (key) => findByKey([...bots.values()], key),
    all: () => [...bots.values()],
    problems: () => problems,
    reload,
    close: () => watch.close(),
  };
}

/** Every bot file of the folders; files of a folder that cannot be read now stay as they were (`unread`). */
async function readFolders(deps: BotsDeps, former: ReadonlyMap<string, ReadFile>) {
  const read: ReadFile[] = [];
  const unread: ReadFile[] = [];
  const problems: BotProblem[] = [];
  for (const dir of deps.dirs) {
    const listing = await listBotFiles(dir);
    if (listing.error !== null) {
      problems.push({ severity: 'warning', file: dir, field: null, reason: listing.error });
    }
    if (listing.files === null) {
      unread.push(...[...former.values()].filter(({ file }) => dirname(file) === dir));
    }
    for (const file of listing.files ?? []) read.push(await readOne(file, deps, former.get(file)));
  }
  return { read, unread, problems };
}

async function readOne(file: string, deps: BotsDeps, former: ReadFile | undefined): Promise<ReadFile> {
  const bad = (field: string | null, reason: string, warnings: readonly BotProblem[] = []): ReadFile => ({
    file,
    bot: former?.bot ?? null,
    promptFolder: former?.promptFolder ?? null,
    problems: [{ severity: 'error', file, field, reason: reason + staysInUse(former) }, ...warnings],
  });
  const { text, error } = await readBotText(file);
  if (text === null) return bad(null, error ?? 'cannot be read');

  const parsed = parseBotFile(file, text);
  if (parsed.value === null) {
    const [first, ...others] = parsed.problems;
    return bad(first?.field ?? null, first?.reason ?? 'not usable', others);
  }
  const named = parsed.value.system_prompt_file;
  const prompt = named === undefined ? null : await readPrompt(file, named, parsed.value.bot_id);
  if (prompt !== null && prompt.text === null) {
    return bad('system_prompt_file', prompt.error, parsed.problems);
  }
  const { bot, notes } = buildBot(parsed.value, prompt?.text ?? null, deps.defaults);
  const warnings = notes.map((note): BotProblem => ({ severity: 'warning', file, ...note }));
  return {
    file,
    bot,
    promptFolder: prompt === null ? null : dirname(prompt.file),
    problems: [...parsed.problems, ...warnings],
  };
}

function staysInUse(former: ReadFile | undefined): string {
  return former?.bot ? '; the last good version stays in use' : '';
}

function promptFolders(files: ReadonlyMap<string, ReadFile>): readonly string[] {
  return [...files.values()].flatMap(({ promptFolder }) => (promptFolder === null ? [] : [promptFolder]));
}

/** A bot object changes only when something in it did. */
function keepIdentity(former: Bot | undefined, bot: Bot): Bot {
  return former !== undefined && isDeepStrictEqual(former, bot) ? former : bot;
}

function tellNews(deps: BotsDeps, former: readonly BotProblem[], now: readonly BotProblem[]): void {
  const told = new Set(former.map((problem) => JSON.stringify(problem)));
  for (const problem of now) {
    if (told.has(JSON.stringify(problem))) continue;
    const { severity, reason, ...where } = problem;
    deps.log[severity === 'error' ? 'error' : 'warn'](where, `bot file: ${reason}`);
  }
}

/** Runs `work` once at a time; a call that comes meanwhile is served by one more run after this one. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  function start(): Promise<void> {
    running = work().finally(() => {
      running = null;
    });
    return running;
  }
  return () => {
    if (running === null) return start();
    next ??= running.then(() => {
      next = null;
      return start();
    });
    return next;
  };
}
