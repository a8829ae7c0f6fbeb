/** The same ten updates of the small web application, once with its session and twice without. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { answerTo, type MessagesRequest } from '../../src/agent/offline/answer.ts';
import { type OfflineModel, type Script, startOfflineModel } from '../../src/agent/offline/offline-model.ts';
import { requestOf } from '../../src/agent/offline/said.ts';
import { readToolWishes } from '../../src/agent/offline/tool-wishes.ts';
import { type App, makeApp } from '../../src/app.ts';
import { systemClock } from '../../src/base/clock.ts';
import { readConfig } from '../../src/config.ts';
import {
  type ProjectId,
  type Projects,
  policySchema,
  type Run,
  type Update,
  type UpdateId,
} from '../../src/projects/projects.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { APP_UPDATES, SMALL_WEB_APP } from '../../test/fixtures/small-web-app-updates.ts';
import { inTime } from './in-time.ts';
import { sharedPrefix } from './prefix.ts';
import type { Bench } from './run.ts';

export const MODEL_MS = 200;
const MOST_REQUESTS = 1_000;
/** Among so many requests before it stands the one whose prefix a request shares most of. */
const LOOK_BACK = 12;

export const ARMS = ['resumed', 'fresh', 'fresh, reads first'] as const;
export type Arm = (typeof ARMS)[number];

/** One update of one arm. */
export type Sample = {
  /** Both after it was claimed, in milliseconds. */
  readonly toFirstEditMs: number;
  readonly toCommitMs: number;
  readonly requests: number;
  readonly sentBytes: number;
  /** Of these, what an earlier request of the arm began with as well. */
  readonly sharedBytes: number;
};

/** Updates take turns between the arms, so that all of them meet the same machine. */
export async function measureArms(bench: Bench): Promise<ReadonlyMap<Arm, readonly Sample[]>> {
  const model = await startOfflineModel({
    recordRequests: MOST_REQUESTS,
    speed: { ttftMs: MODEL_MS, tokensPerSecond: null },
  });
  bench.defer(model.close);
  const { projects } = (await startApp(bench, model)).parts;
  const source = await makeSource(bench);
  const samples = new Map<Arm, Sample[]>(ARMS.map((arm) => [arm, []]));
  const sent = new Map<Arm, MessagesRequest[]>(ARMS.map((arm) => [arm, []]));
  const ids = new Map<Arm, ProjectId>();
  for (const arm of ARMS) ids.set(arm, await makeProject(projects, arm, source));
  for (const [index, { prompt }] of APP_UPDATES.entries()) {
    for (const [arm, id] of ids) {
      bench.progress(`update ${index + 1} of ${APP_UPDATES.length}: ${arm}`);
      model.setScript(arm === 'fresh, reads first' ? readFirst : null);
      const before = model.requests().length;
      const { update, run } = await runUpdate(projects, id, prompt);
      const earlier = sent.get(arm) ?? [];
      const requests = model.requests().slice(before);
      samples.get(arm)?.push({ ...timesOf(update, run), ...count(earlier, requests) });
      sent.set(arm, [...earlier, ...requests]);
    }
  }
  return samples;
}

async function startApp(bench: Bench, model: OfflineModel): Promise<App> {
  const { config } = readConfig(
    {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      DATA_DIR: join(bench.folder, 'arms'),
      MEMORY_HIGH_WATERMARK: '1',
      ...model.endpoint.env,
    },
    bench.folder,
  );
  const app = await makeApp(config, {
    log: makeLog({ level: 'error', pretty: false }),
    clock: systemClock,
  });
  bench.defer(app.stop);
  return app;
}

async function makeSource(bench: Bench): Promise<string> {
  const source = join(bench.folder, 'source');
  await cp(SMALL_WEB_APP, source, { recursive: true });
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-c', 'user.name=b', '-c', 'user.email=b@example.com', ...args], { cwd: source });
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Start');
  return source;
}

async function makeProject(projects: Projects, arm: Arm, importFrom: string): Promise<ProjectId> {
  const resume = arm === 'resumed' ? 'on' : 'off';
  // What comes after the commit is the same in all of them, and not what is compared.
  const policy = policySchema.parse({ resume, recommendations: false });
  return (await projects.create({ name: arm, ownerId: 'bench', policy, importFrom })).id;
}

async function runUpdate(
  projects: Projects,
  projectId: ProjectId,
  prompt: string,
): Promise<{ readonly update: Update; readonly run: Run }> {
  const key = randomUUID();
  const outcome = await projects.enqueue({
    ...{ projectId, userId: 'bench', kind: 'update', prompt, idempotencyKey: key, digest: key },
    options: {
      resume: 'auto',
      expectedVersion: null,
      restoreVersion: null,
      recommendations: null,
      documentation: null,
      compact: 'never',
    },
  });
  if (outcome.kind !== 'queued') throw new Error(`an update was answered ${outcome.kind}`);
  const update = await inTime(ended(projects, outcome.update.id), 'the end of an update');
  const [run] = await projects.updates.runs(update.id);
  if (update.status !== 'completed' || update.resultVersion === null || run === undefined)
    throw new Error(`an update is ${update.status}: ${update.error?.detail ?? 'nothing changed'}`);
  return { update, run };
}

async function ended(projects: Projects, id: UpdateId): Promise<Update> {
  for (;;) {
    const update = await projects.updates.get(id);
    if (update !== null && update.finishedAt !== null) return update;
    await systemClock.sleep(10);
  }
}

function timesOf({ startedAt, committedAt }: Update, { firstEditAt }: Run) {
  if (startedAt === null || committedAt === null || firstEditAt === null)
    throw new Error('an update made a version and tells no times');
  return { toFirstEditMs: firstEditAt - startedAt, toCommitMs: committedAt - startedAt };
}

function count(earlier: readonly MessagesRequest[], requests: readonly MessagesRequest[]) {
  const all = [...earlier, ...requests];
  let [sentBytes, sharedBytes] = [0, 0];
  for (const [index, request] of requests.entries()) {
    const at = earlier.length + index;
    const shared = all
      .slice(Math.max(0, at - LOOK_BACK), at)
      .map((before) => sharedPrefix(before, request).sharedBytes);
    sentBytes += sharedPrefix(request, request).earlierBytes;
    sharedBytes += Math.max(0, ...shared);
  }
  return { requests: requests.length, sentBytes, sharedBytes };
}

/** A model that reads each file before it edits the first one, as one does that has not seen them. */
const readFirst: Script = (request) => {
  const at = request.messages.findLastIndex((message) => JSON.stringify(message).includes('<request>'));
  const prompt = request.messages[at];
  if (prompt === undefined) return null;
  const paths = editedIn(textOf(prompt.content));
  const after = request.messages.slice(at + 1);
  const path = paths[after.filter(({ role }) => role === 'assistant').length];
  if (path !== undefined)
    return { kind: 'tool', narration: `I will read ${path}.`, name: 'Read', input: { file_path: path } };
  let left = 2 * paths.length;
  const unread = after.filter(({ role }) => role === 'system' || left-- <= 0);
  return answerTo({ ...request, messages: [...request.messages.slice(0, at + 1), ...unread] });
};

function textOf(content: MessagesRequest['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return content.map(({ text }) => (typeof text === 'string' ? text : '')).join('\n');
}

function editedIn(prompt: string): readonly string[] {
  const wishes = readToolWishes(requestOf(prompt));
  if (wishes === 'unreadable') throw new Error('an update of the fixture cannot be read');
  const paths = wishes
    .filter(({ name }) => name === 'Edit')
    .map(({ input }) => String((input as { readonly file_path: unknown }).file_path));
  return [...new Set(paths)];
}
