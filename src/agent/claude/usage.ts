import type { SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';
import type { TranscriptEntry, Usage } from '../agent.ts';

export const NO_USAGE: Usage = {
  costUsd: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
};

/** What a result says that the process has spent in all, over every model that it used. */
export function cumulativeOf(result: Pick<SDKResultMessage, 'total_cost_usd' | 'modelUsage'>): Usage {
  return sumModels(result.total_cost_usd, Object.values(result.modelUsage));
}

/**
 * A resumed process counts on from the last total that its transcript saved, so that its first result holds earlier
 * turns too. A process saves that only when it exits in peace; without one it counts from zero.
 */
export function savedTotal(entries: readonly TranscriptEntry[]): Usage {
  const saved = entries.findLast((entry) => entry.type === 'cost-state');
  if (saved === undefined) return NO_USAGE;
  const models = isRecord(saved.modelUsage) ? Object.values(saved.modelUsage).filter(isRecord) : [];
  return sumModels(saved.totalCostUSD, models);
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

function sumModels(costUsd: unknown, models: readonly Readonly<Record<string, unknown>>[]): Usage {
  const sum = (field: string) => models.reduce((total, model) => total + count(model[field]), 0);
  return {
    costUsd: count(costUsd),
    inputTokens: sum('inputTokens'),
    outputTokens: sum('outputTokens'),
    cacheReadTokens: sum('cacheReadInputTokens'),
    cacheWriteTokens: sum('cacheCreationInputTokens'),
  };
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
