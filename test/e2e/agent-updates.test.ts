import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { TranscriptStart } from '../../src/agent/agent.ts';
import { newSessionId } from '../../src/base/ids.ts';
import type { SessionId } from '../../src/base/terms.ts';
import { APP_UPDATES, SMALL_WEB_APP } from '../fixtures/small-web-app-updates.ts';
import { lastEntryOf, makeWorld, say } from './agent-world.ts';

it('ten forks, each of the one before it, carry a web application through ten updates', {
  timeout: 180_000,
}, async () => {
  const world = await makeWorld();
  const spec = { builtinTools: ['Read', 'Write', 'Edit', 'Glob', 'Grep'] };
  cpSync(SMALL_WEB_APP, world.workspace, { recursive: true });
  let transcript: TranscriptStart = { kind: 'new', sessionId: newSessionId() };
  for (const { prompt, holds } of APP_UPDATES) {
    const agent = await world.start(transcript, spec);
    const turn = await say(
      agent,
      `You work on a project.\n<request>\n${prompt}\n</request>\nSay what you did.`,
    );
    expect(turn.ended.end).toMatchObject({ kind: 'answered', text: expect.not.stringContaining('refused') });
    for (const { path, text } of holds)
      expect(readFileSync(join(world.workspace, path), 'utf8')).toContain(text);
    const asked = await say(
      agent,
      'What next?\nAnswer with one JSON object and nothing else.\n{"title": "…"}',
    );
    const { text } = asked.ended.end as { text: string };
    expect(JSON.parse(text)).toMatchObject({ title: prompt.split(':')[0] });
    await agent.close();
    execFileSync(process.execPath, ['--test', '--test-isolation=none'], {
      cwd: world.workspace,
      env: { PATH: process.env.PATH },
    });
    const from: SessionId = transcript.sessionId;
    transcript = { kind: 'fork', sessionId: newSessionId(), from, at: lastEntryOf(turn) };
    expect(JSON.stringify(world.transcripts.main(from))).toContain('Make the buttons blue');
  }
});
