/** The least that a restart can be: a new Node process that loads the SDK and asks one question. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { ModelEndpoint } from '../../src/agent/agent.ts';
import { makeBareSdk } from './bare-sdk.ts';
import { startChild } from './child-process.ts';
import type { Bench } from './run.ts';
import { readSpec, toPlainPrompt } from './spec.ts';

const THIS_FILE = fileURLToPath(import.meta.url);

/** Milliseconds from the start of the process to the result. */
export async function startBareQuery(bench: Bench, model: ModelEndpoint): Promise<number> {
  const begun = performance.now();
  const child = await startChild(THIS_FILE, {
    args: [bench.folder, model.env.ANTHROPIC_BASE_URL ?? ''],
    cwd: bench.folder,
    env: {},
    ready: /^(answered)$/m,
  });
  const tookMs = performance.now() - begun;
  await child.stop();
  return tookMs;
}

if (process.argv[1] === THIS_FILE) {
  const [, , folder = '', url = ''] = process.argv;
  const env = { ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: 'offline' };
  const sdk = await makeBareSdk({ folder }, await readSpec({ name: 'primary', env }));
  const agent = sdk.start();
  await agent.say(toPlainPrompt('1', `Hello ${randomUUID()}`));
  process.stdout.write('answered\n');
  await agent.close();
}
