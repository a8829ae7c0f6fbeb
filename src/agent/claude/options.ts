import type { McpServerConfig, Options, SandboxSettings } from '@anthropic-ai/claude-agent-sdk';
import { unreachable } from '../../base/errors.ts';
import type { AgentSpec, TranscriptStart } from '../agent.ts';

/** Built-in tools that any agent can be given. What starts processes is not among them, whatever a bot file lists. */
const OFFERED_TOOLS: ReadonlySet<string> = new Set([
  'Read',
  'Write',
  'Edit',
  'NotebookEdit',
  'Glob',
  'Grep',
  'WebFetch',
  'WebSearch',
  'TodoWrite',
]);

/**
 * The SDK's options as far as they follow from the spec and the transcript. Bash, where it is listed, is given with a
 * sandbox around it and not without.
 */
export function toOptions(
  spec: AgentSpec,
  transcript: TranscriptStart,
  sandbox: SandboxSettings | null,
): Options {
  const tools = spec.builtinTools.filter(
    (tool) => OFFERED_TOOLS.has(tool) || (tool === 'Bash' && sandbox !== null),
  );
  return {
    ...(spec.model === undefined ? {} : { model: spec.model }),
    // Not recorded: an edited prompt takes effect on resume.
    systemPrompt: { type: 'custom', prompt: spec.systemPrompt, snapshot: false },
    tools,
    allowedTools: [...tools, ...Object.keys(spec.mcpServers).map((name) => `mcp__${name}`)],
    permissionMode: 'dontAsk',
    settingSources: [],
    strictMcpConfig: true,
    // The bots' schema has checked their shape; the SDK checks it again.
    mcpServers: spec.mcpServers as Record<string, McpServerConfig>,
    // On the command line every user of the machine could read their keys.
    mcpServersDelivery: 'initialize',
    settings: {
      autoMemoryEnabled: false,
      permissions: { blockReadsOutsideWorkingDirectories: true, blockWritesOutsideWorkingDirectories: true },
    },
    ...(sandbox === null ? {} : { sandbox }),
    ...(spec.thinkingBudgetTokens === undefined
      ? {}
      : { thinking: { type: 'enabled', budgetTokens: spec.thinkingBudgetTokens } }),
    maxTurns: spec.maxSteps,
    ...(spec.maxBudgetUsd === undefined ? {} : { maxBudgetUsd: spec.maxBudgetUsd }),
    includePartialMessages: true,
    sessionStoreFlush: 'eager',
    ...toTranscriptOptions(transcript),
  };
}

function toTranscriptOptions(transcript: TranscriptStart): Options {
  switch (transcript.kind) {
    case 'new':
      return { sessionId: transcript.sessionId };
    case 'resume':
      return { resume: transcript.sessionId, resumeSessionAt: transcript.at };
    case 'fork':
      return {
        resume: transcript.from,
        resumeSessionAt: transcript.at,
        forkSession: true,
        sessionId: transcript.sessionId,
      };
    default:
      return unreachable(transcript);
  }
}
