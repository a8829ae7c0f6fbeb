/** A server that is stopped, killed, or started twice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../setup/root.ts';
import { startModel } from './model.ts';
import { makeBotsFolder, startServer, type TestServer, waitFor, withDatabase } from './server.ts';

/** Texts of a room's replies, without the remark that somebody waits. */
async function answersIn(server: TestServer, count: number): Promise<readonly string[]> {
  const isAnswer = (text: string) => text.includes('You said:');
  return waitFor(
    async () => {
      const answers = (await server.repliesSoFar(1)).map(({ text }) => text).filter(isAnswer);
      return answers.length >= count ? answers : null;
    },
    { otherwise: () => `fewer than ${count} answers:\n${server.output()}` },
  );
}

function transcript(server: TestServer): string {
  return server
    .rows('SELECT entry FROM transcript_entries')
    .map(({ entry }) => entry)
    .join();
}

async function until(server: TestServer, isSo: () => boolean): Promise<void> {
  await waitFor(() => (isSo() ? true : null), { otherwise: server.output });
}

describe('SIGTERM', () => {
  it('ends an idle server and all its agents with exit code 0', async () => {
    const server = await startServer();
    await server.say(1, 'hello to everybody');
    await server.replies(1, 1);
    expect(await server.family()).not.toEqual([]);
    const { code, tookMs } = await server.stop();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
    expect(await server.family()).toEqual([]);
  });

  it('lets a running turn finish, and the message that waits is answered after the start', async () => {
    const model = await startModel();
    const server = await startServer({ env: model.env });
    model.setSpeed({ ttftMs: 1_500, tokensPerSecond: null });
    await server.say(1, 'the one that runs');
    await until(server, () => model.requests().length === 1);
    await server.say(1, 'the one that waits');
    expect((await server.stop()).code).toBe(0);
    model.setSpeed({ ttftMs: 0, tokensPerSecond: null });

    const again = await startServer({ env: model.env, dataDir: server.dataDir });
    const answers = await answersIn(again, 2);
    expect(answers).toEqual([
      expect.stringContaining('You said: “the one that runs”'),
      expect.stringContaining('You said: “the one that waits”'),
    ]);
    expect((await again.turns(1)).map(({ tier, attempt }) => [tier, attempt])).toEqual([
      ['warm', 1],
      ['cold', 1],
    ]);
  });

  it('ends a server within ten seconds though a turn goes on for thirty, and loses nothing', async () => {
    const model = await startModel();
    const server = await startServer({ env: model.env });
    model.setSpeed({ ttftMs: 30_000, tokensPerSecond: null });
    await server.say(1, 'the one that runs');
    await until(server, () => model.requests().length === 1);
    await server.say(1, 'the one that waits');
    const { code, tookMs } = await server.stop();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
    expect(await server.family()).toEqual([]);
    model.setSpeed({ ttftMs: 0, tokensPerSecond: null });

    const again = await startServer({ env: model.env, dataDir: server.dataDir });
    const answers = await answersIn(again, 2);
    expect(answers).toEqual([
      expect.stringContaining('You said: “the one that runs”'),
      expect.stringContaining('You said: “the one that waits”'),
    ]);
    expect(answers[1]).toContain('message 2 of this conversation');
    // A drain is nobody's fault: the attempt that it cut off is not counted.
    expect((await again.turns(1)).map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
      ['answered', 1],
      ['answered', 1],
      ['drained', 1],
    ]);
  });
});

describe('SIGKILL in the middle of a turn', () => {
  it('leaves nobody three seconds after the next start, who left its session neither, and the message is answered once', async () => {
    const careless = {
      bot_id: 'careless',
      default: true,
      mcp_servers: {
        careless: {
          command: process.execPath,
          args: [fileURLToPath(new URL('./mcp-server.ts', import.meta.url))],
        },
      },
    };
    const model = await startModel();
    const env = { ...model.env, BOTS_DIRS: makeBotsFolder(careless) };
    const server = await startServer({ env });
    await server.say(1, 'my cat is called Momo');
    await answersIn(server, 1);
    await server.say(1, 'use tool mcp__careless__wait with {}');
    await until(server, () => transcript(server).includes('"name":"mcp__careless__wait"'));
    const family = await waitFor(async () => {
      const found = await server.family();
      return found.some(({ command }) => command.startsWith('sleep')) ? found : null;
    });
    expect(family.length).toBeGreaterThanOrEqual(3);
    await server.kill();
    model.setScript(() => ({ kind: 'text', text: 'You said: something that was cut off', delayMs: 0 }));

    const again = await startServer({ env, dataDir: server.dataDir });
    const mayLive = performance.now() + 3_000;
    await waitFor(async () => {
      const living = new Set((await again.family()).map(({ pid }) => pid));
      return family.some(({ pid }) => living.has(pid)) ? null : true;
    });
    expect(performance.now()).toBeLessThan(mayLive);
    expect((await answersIn(again, 2))[1]).toBe('You said: something that was cut off');
    await waitFor(async () =>
      (await again.getJson<{ depth: number }>('/queue/stats')).depth === 0 ? true : null,
    );
    expect(await again.repliesSoFar(1)).toHaveLength(2);
    // The model is told what the attempt had set off, because it may have had effects.
    expect(JSON.stringify(model.requests().at(-1))).toContain('mcp__careless__wait. Check what they did');
  });
});

describe('a kill between a finished answer and its settlement', () => {
  it('has the answer posted after the start without asking the model again, and the next turn remembers it', async () => {
    const model = await startModel();
    const server = await startServer({ env: model.env });
    await server.say(1, 'my cat is called Momo');
    await answersIn(server, 1);
    const [settled] = server.rows('SELECT settled_entry, turn_count FROM sessions');
    await server.say(1, 'who is my cat, please?');
    const [, given] = await answersIn(server, 2);
    await server.kill();
    // What the rows were in that moment: the transcript is ahead of everything else.
    withDatabase(server.dataDir, (database) => {
      database
        .prepare('UPDATE sessions SET settled_entry = ?, turn_count = ?')
        .run(String(settled?.settled_entry), Number(settled?.turn_count));
      database.exec(`
        UPDATE inbox SET state = 'running', ended_at = NULL, outcome = NULL WHERE id = (SELECT max(id) FROM inbox);
        DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox);
        DELETE FROM room_messages WHERE id = (SELECT max(id) FROM room_messages);
      `);
    });

    const again = await startServer({ env: model.env, dataDir: server.dataDir });
    expect((await answersIn(again, 2))[1]).toBe(given);
    expect(model.requests()).toHaveLength(2);
    await again.say(1, 'and what did I ask?');
    expect((await answersIn(again, 3))[2]).toContain('2. “who is my cat, please?”');
    expect(JSON.stringify(model.requests().at(-1)).split('who is my cat, please?')).toHaveLength(3);
  });
});

describe('a second server on the same folder', () => {
  it('refuses to start and names the first, which goes on; after a kill -9 of the first it starts', async () => {
    const first = await startServer();
    const second = spawn('bin/node', ['src/main.ts'], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, PORT: '0', DATA_DIR: first.dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [second.stdout, second.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
      });
    const [code] = await once(second, 'close');
    expect(code).toBe(1);
    expect(said).toContain(first.url);
    expect(said).not.toContain('    at ');
    await first.say(1, 'are you still there?');
    await first.replies(1, 1);

    await first.kill();
    const third = await startServer({ dataDir: first.dataDir });
    await third.say(1, 'and you, are you there?');
    await third.replies(1, 2);
  });
});
