/**
 * The offline model in a process of its own, as a real endpoint is: what it computes is nobody's event loop's but its
 * own. `start` runs this very file.
 */
import { fileURLToPath } from 'node:url';
import type { ModelEndpoint } from '../../src/agent/agent.ts';
import { startOfflineModel } from '../../src/agent/offline/offline-model.ts';
import { startChild } from './child-process.ts';
import type { Bench } from './run.ts';

const THIS_FILE = fileURLToPath(import.meta.url);

/** Answers after `ttftMs`, then as fast as it goes. */
export async function startModelProcess(bench: Bench, ttftMs = 0): Promise<ModelEndpoint> {
  const child = await startChild(THIS_FILE, {
    args: [String(ttftMs)],
    cwd: bench.folder,
    env: {},
    ready: /^model at (\S+)$/m,
  });
  bench.defer(child.kill);
  return toEndpoint(child.address);
}

export function toEndpoint(baseUrl: string): ModelEndpoint {
  return { name: 'primary', env: { ANTHROPIC_BASE_URL: baseUrl, ANTHROPIC_API_KEY: 'offline' } };
}

if (process.argv[1] === THIS_FILE) {
  const model = await startOfflineModel({
    speed: { ttftMs: Number(process.argv[2] ?? 0), tokensPerSecond: null },
  });
  process.stdout.write(`model at ${model.baseUrl}\n`);
}
