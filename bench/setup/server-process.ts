/** The real server in a process of its own, as a user runs it. */
import { join } from 'node:path';
import { ROOT } from '../../test/setup/root.ts';
import { type Child, SERVER_LISTENS, startChild } from './child-process.ts';
import type { Bench } from './run.ts';
import { ADMIN_TOKEN, BOT_ID } from './settings.ts';

export type ServerProcess = Child & {
  /** Campfire's door of the bot. */
  readonly webhookUrl: string;
  /** With the admin token; rejects unless the answer is 200. */
  api(path: string): Promise<Response>;
};

export async function startServerProcess(
  bench: Bench,
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const child = await startChild(join(ROOT, 'src/main.ts'), {
    cwd: bench.folder,
    env: {
      HOME: bench.folder,
      TMPDIR: bench.folder,
      ...env,
    },
    ready: SERVER_LISTENS,
  });
  bench.defer(child.stop);
  return {
    ...child,
    webhookUrl: `${child.address}/webhook/${BOT_ID}`,
    async api(path) {
      const answer = await fetch(child.address + path, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
      return answer;
    },
  };
}

/** Posts one webhook and fails unless it was accepted; milliseconds until the answer. */
export async function postWebhook(url: string, body: string): Promise<number> {
  const begun = performance.now();
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  if (answer.status !== 200) throw new Error(`a webhook was answered ${answer.status}`);
  return performance.now() - begun;
}

/** Values of one metric of the server, by its labels as Prometheus writes them. */
export async function readMetric(server: ServerProcess, name: string): Promise<number> {
  const text = await (await server.api('/metrics')).text();
  const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`there is no metric ${name}`);
  return Number(found);
}
