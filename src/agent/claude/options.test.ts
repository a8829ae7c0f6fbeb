import { describe, expect, it } from 'vitest';
import { newEntryId, newSessionId } from '../../base/ids.ts';
import type { AgentSpec } from '../agent.ts';
import { toEnvironment } from './environment.ts';
import { toOptions } from './options.ts';
import { toSandbox } from './sandbox.ts';

const spec: AgentSpec = {
  systemPrompt: 'You are a bot.',
  builtinTools: ['Read', 'Bash', 'WebFetch', 'Task', 'FutureTool'],
  mcpServers: { finance: { command: 'finance' } },
  maxSteps: 7,
  env: { GREETING: 'hi', ANTHROPIC_BASE_URL: 'http://elsewhere', FIREKEEPER_AGENT: 'forged', HOME: '/root' },
  endpoint: { name: 'primary', env: { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: 'https://api' } },
};
const sessionId = newSessionId();

describe('toOptions', () => {
  it('offers and allows the listed tools that start no process, and the bot file’s own servers', () => {
    const options = toOptions(spec, { kind: 'new', sessionId }, null);
    expect(options.tools).toEqual(['Read', 'WebFetch']);
    expect(options.allowedTools).toEqual(['Read', 'WebFetch', 'mcp__finance']);
    expect(options).toMatchObject({
      permissionMode: 'dontAsk',
      settingSources: [],
      strictMcpConfig: true,
      maxTurns: 7,
      sessionId,
      systemPrompt: { type: 'custom', prompt: 'You are a bot.', snapshot: false },
      // What the command line holds can be read by every user of the machine.
      mcpServersDelivery: 'initialize',
    });
    expect(options).not.toHaveProperty('model');
    expect(options).not.toHaveProperty('thinking');
  });

  it('lets no file tool leave the working directory, and keeps no memory of its own', () => {
    const { settings, permissionMode } = toOptions(spec, { kind: 'new', sessionId }, null);
    expect(permissionMode).toBe('dontAsk');
    expect(settings).toMatchObject({
      autoMemoryEnabled: false,
      permissions: { blockReadsOutsideWorkingDirectories: true, blockWritesOutsideWorkingDirectories: true },
    });
  });

  it('gives Bash where there is a sandbox for it, and never around it', () => {
    const sandbox = toSandbox(spec, '/usr/share/our-data/agents', { secretFolders: ['/usr/our-bots'] });
    const options = toOptions(spec, { kind: 'new', sessionId }, sandbox);
    expect(options.tools).toEqual(['Read', 'Bash', 'WebFetch']);
    expect(options.sandbox).toMatchObject({
      enabled: true,
      failIfUnavailable: true,
      allowUnsandboxedCommands: false,
      network: { allowedDomains: [], strictAllowlist: true, allowAllUnixSockets: false },
    });
    const { denyRead, allowRead } = sandbox.filesystem ?? {};
    expect(denyRead).toEqual(
      expect.arrayContaining(['/home', '/tmp', '/var', '/etc', '/usr/share/our-data', '/usr/our-bots']),
    );
    expect(denyRead).not.toContain('/usr');
    expect(allowRead).toContain('/etc/passwd');
    expect(allowRead).not.toContain('/etc/shadow');
    const hidden = sandbox.credentials?.envVars?.map(({ name, mode }) => `${mode} ${name}`);
    expect(hidden).toEqual(
      expect.arrayContaining(['deny ANTHROPIC_API_KEY', 'deny CLAUDE_CODE_OAUTH_TOKEN', 'deny GREETING']),
    );
  });

  it('resumes at the settled entry', () => {
    const at = newEntryId();
    const options = toOptions(
      { ...spec, model: 'm', thinkingBudgetTokens: 2_000 },
      { kind: 'resume', sessionId, at },
      null,
    );
    expect(options).toMatchObject({
      resume: sessionId,
      resumeSessionAt: at,
      model: 'm',
      thinking: { type: 'enabled', budgetTokens: 2_000 },
    });
    expect(options).not.toHaveProperty('sessionId');
    expect(options).not.toHaveProperty('forkSession');
  });

  it('forks the parent at an entry, under the new id', () => {
    const [from, at] = [newSessionId(), newEntryId()];
    expect(toOptions(spec, { kind: 'fork', sessionId, from, at }, null)).toMatchObject({
      resume: from,
      resumeSessionAt: at,
      forkSession: true,
      sessionId,
    });
  });
});

describe('toEnvironment', () => {
  it('lets a bot file add, but not leave its endpoint, its home or its family', () => {
    const env = toEnvironment({
      base: { PATH: '/bin', TZ: 'UTC' },
      spec,
      home: '/data/agents/a',
      temporary: '/data/agents/a/tmp',
      ownerId: 'owner',
      agentId: 'a',
      apiRetries: 3,
    });
    expect(env).toMatchObject({
      PATH: '/bin',
      TZ: 'UTC',
      GREETING: 'hi',
      ANTHROPIC_API_KEY: 'key',
      ANTHROPIC_BASE_URL: 'https://api',
      CLAUDE_CODE_MAX_RETRIES: '3',
      CLAUDE_CODE_DISABLE_AUTO_MEMORY: '1',
      CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
      CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      CLAUDE_CONFIG_DIR: '/data/agents/a',
      HOME: '/data/agents/a',
      TMPDIR: '/data/agents/a/tmp',
      FIREKEEPER_OWNER: 'owner',
      FIREKEEPER_AGENT: 'a',
    });
  });
});
