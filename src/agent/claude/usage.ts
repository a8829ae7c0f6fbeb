import type { ModelUsage, SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';
import type { Usage } from '../agent.ts';

export const NO_USAGE: Usage = {
  costUsd: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
};

/** What a result says that the process has spent in all, over every model that it used. */
export function cumulativeOf(result: Pick<SDKResultMessage, 'total_cost_usd' | 'modelUsage'>): Usage {
  const models = Object.values(result.modelUsage);
  const sum = (tokens: (model: ModelUsage) => number) =>
    models.reduce((total, model) => total + tokens(model), 0);
  return {
    costUsd: result.total_cost_usd,
    inputTokens: sum((model) => model.inputTokens),
    outputTokens: sum((model) => model.outputTokens),
    cacheReadTokens: sum((model) => model.cacheReadInputTokens),
    cacheWriteTokens: sum((model) => model.cacheCreationInputTokens),
  };
}

/** What was spent between two totals. A crash report carries zeros: that is no spending, and nothing given back. */
export function usageBetween(before: Usage, after: Usage): Usage {
  const spent = (field: keyof Usage) => Math.max(0, after[field] - before[field]);
  return {
    costUsd: spent('costUsd'),
    inputTokens: spent('inputTokens'),
    outputTokens: spent('outputTokens'),
    cacheReadTokens: spent('cacheReadTokens'),
    cacheWriteTokens: spent('cacheWriteTokens'),
  };
}

export function addUsage(first: Usage, second: Usage): Usage {
  return {
    costUsd: first.costUsd + second.costUsd,
    inputTokens: first.inputTokens + second.inputTokens,
    outputTokens: first.outputTokens + second.outputTokens,
    cacheReadTokens: first.cacheReadTokens + second.cacheReadTokens,
    cacheWriteTokens: first.cacheWriteTokens + second.cacheWriteTokens,
  };
}

export function sumOfTokens(usage: Usage): number {
  return usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
}
