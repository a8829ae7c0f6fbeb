import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const LOG = fileURLToPath(new URL('./log.ts', import.meta.url));

/** What a process writes that logs these fields. */
function written(fields: object): string {
  const lines = [
    `import { makeLog } from ${JSON.stringify(LOG)};`,
    `makeLog({ level: 'info', pretty: false }).info(${JSON.stringify(fields)}, 'said');`,
  ];
  const script = ['--input-type=module', '--eval', lines.join('\n')];
  return execFileSync(process.execPath, script, { encoding: 'utf8' });
}

describe('a log line', () => {
  it('tells what it is given', () => {
    expect(JSON.parse(written({ status: 401, reason: 'wrong_token' }))).toMatchObject({
      status: 401,
      reason: 'wrong_token',
      msg: 'said',
    });
  });

  it('holds no field that could be a secret or the words of a room, three levels deep', () => {
    const names = ['key', 'bot_key', 'token', 'authorization', 'cookie', 'text', 'body', 'prompt', 'path'];
    const secrets = Object.fromEntries([...names, 'url', 'env'].map((name) => [name, 'hush-hush']));
    const line = written({ ...secrets, of: { ...secrets, deep: secrets } });
    expect(line).not.toContain('hush-hush');
    expect(line.match(/\[redacted\]/g)).toHaveLength(33);
  });
});
