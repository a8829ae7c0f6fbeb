/** An offline model that a test controls, for a server that takes it for a real endpoint. */
import { onTestFinished } from 'vitest';
import type { MessagesRequest } from '../../src/agent/offline/answer.ts';
import { type OfflineModel, startOfflineModel } from '../../src/agent/offline/offline-model.ts';

export type TestModel = OfflineModel & {
  /** What makes a server use it. */
  readonly env: Readonly<Record<string, string>>;
};

export async function startModel(): Promise<TestModel> {
  const model = await startOfflineModel({ recordRequests: 500 });
  onTestFinished(() => model.close());
  return {
    ...model,
    env: { ANTHROPIC_BASE_URL: model.baseUrl, ANTHROPIC_API_KEY: 'sk-of-the-test-endpoint' },
  };
}

/** The system prompt, the tools and the messages of a request, without cache marks: what a provider caches by. */
export function prefixOf(request: MessagesRequest) {
  const messages = request.messages.map(({ role, content }) => ({
    role,
    content: typeof content === 'string' ? [{ type: 'text', text: content }] : content,
  }));
  const whole = { system: request.system, tools: request.tools, messages };
  return JSON.parse(
    JSON.stringify(whole, (name, field) => (name === 'cache_control' ? undefined : field)),
  ) as typeof whole;
}

/** How often a text stands in what a request carries. */
export function countIn(request: MessagesRequest | undefined, text: string): number {
  return JSON.stringify(request).split(text).length - 1;
}
