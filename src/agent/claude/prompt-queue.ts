import type { SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';

/** The prompts of a live process: what is pushed is read once, in order, until the queue ends. */
export type PromptQueue = {
  readonly prompts: AsyncIterable<SDKUserMessage>;
  push(prompt: SDKUserMessage): void;
  /** The process ends when it has read what was pushed. Calling it twice does nothing. */
  end(): void;
};

/** One turn at a time makes one prompt at a time; the second place is for a turn that was given up. */
const MOST_PROMPTS = 2;

export function makePromptQueue(): PromptQueue {
  const queue: SDKUserMessage[] = [];
  let ended = false;
  let wake = () => {};

  async function* read(): AsyncGenerator<SDKUserMessage> {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (ended) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }

  return {
    prompts: read(),
    push(prompt) {
      if (queue.length >= MOST_PROMPTS) throw new Error('an agent was sent more prompts than it takes');
      queue.push(prompt);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
  };
}
