import { describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { guardWebFetch, refuseFetch } from './guard-web-fetch.ts';

const names: Readonly<Record<string, readonly string[]>> = {
  'example.com': ['93.184.216.34', '2606:2800:220:1::1'],
  'rebound.example': ['93.184.216.34', '127.0.0.1'],
  'inside.example': ['fd00::5'],
};
const lookUp = async (name: string) => {
  const found = names[name];
  if (found === undefined) throw new Error('ENOTFOUND');
  return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};

describe('refuseFetch', () => {
  it.each([
    ['https://example.com/', null],
    ['https://rebound.example/', 'its name leads to a private address'],
    ['https://inside.example/', 'its name leads to a private address'],
    ['https://nowhere.example/', 'its name has no address'],
    ['http://127.0.0.1/', 'its address is private'],
    ['http://1.1.1.1/', null],
    [undefined, 'it is no URL'],
    [['https://example.com/'], 'it is no URL'],
  ])('%s: %s', async (url, reason) => {
    expect(await refuseFetch(url, lookUp, makeFakeClock())).toBe(reason);
  });

  it('does not wait for ever for a name', async () => {
    const clock = makeFakeClock();
    const asked = refuseFetch('https://example.com/', () => new Promise(() => {}), clock);
    await clock.advance(5_000);
    expect(await asked).toBe('its name has no address');
  });
});

describe('the guard before each WebFetch', () => {
  const guard = guardWebFetch(lookUp, makeFakeClock());
  const ask = (url: string) =>
    guard.hooks[0]?.(
      {
        hook_event_name: 'PreToolUse',
        tool_name: 'WebFetch',
        tool_input: { url },
        tool_use_id: '1',
        session_id: '1',
        transcript_path: '/',
        cwd: '/',
      },
      '1',
      { signal: new AbortController().signal },
    );

  it('denies what leads into a private network and says why', async () => {
    expect(await ask('https://inside.example/')).toEqual({
      hookSpecificOutput: {
        hookEventName: 'PreToolUse',
        permissionDecision: 'deny',
        permissionDecisionReason: 'This URL is not fetched: its name leads to a private address.',
      },
    });
    expect(await ask('https://example.com/')).toEqual({});
  });

  it('lets nothing through when it fails itself', () => {
    expect(guard).toMatchObject({ matcher: 'WebFetch', onFailure: 'block' });
  });
});
