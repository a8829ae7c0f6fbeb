import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../test/fixtures/fake-clock.ts';
import { ADMIN_TOKEN, AS_ADMIN, type Doors, openDoors } from '../../test/fixtures/front-doors.ts';
import { makeAttempts } from './attempts.ts';

let doors: Doors;
beforeEach(async () => {
  doors = await openDoors();
});
afterEach(() => doors.close());

function logIn(body: object, headers: Record<string, string> = {}) {
  return doors.http.inject({ method: 'POST', url: '/api/login', headers, payload: body });
}

async function statusWith(headers: Record<string, string>): Promise<number> {
  return (await doors.http.inject({ url: '/api/bots', headers })).statusCode;
}

async function cookieFor(body: object): Promise<string> {
  return String((await logIn(body)).headers['set-cookie']).split(';')[0] ?? '';
}

describe('the routes behind the admin token', () => {
  it.each([
    ['nothing', {}, 401],
    ['the bearer token', AS_ADMIN, 200],
    ['the bearer token in other letters', { authorization: `bearer ${ADMIN_TOKEN}` }, 200],
    ['a wrong bearer token', { authorization: 'Bearer wrong' }, 401],
    ['basic authorization', { authorization: `Basic ${btoa(`admin:${ADMIN_TOKEN}`)}` }, 401],
    ['the token as a cookie', { cookie: `firekeeper_login=${ADMIN_TOKEN}` }, 401],
    ['a cookie of our own making', { cookie: `firekeeper_login=99999999999999.${'A'.repeat(43)}` }, 401],
    ['half a cookie', { cookie: 'firekeeper_login=99999999999999' }, 401],
  ] as const)('answer %s', async (_title, headers, status) => {
    expect(await statusWith(headers)).toBe(status);
  });

  it('never take a token from the address', async () => {
    for (const name of ['token', 'access_token', 'admin_token', 'code']) {
      const answer = await doors.http.inject({ url: `/api/bots?${name}=${ADMIN_TOKEN}` });
      expect(answer.statusCode).toBe(401);
    }
  });

  it('refuse a page of another origin even with the cookie', async () => {
    const cookie = await cookieFor({ token: ADMIN_TOKEN });
    expect(await statusWith({ cookie, origin: 'https://evil.example' })).toBe(403);
    expect(await statusWith({ cookie, 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await statusWith({ cookie, host: 'rebound.example' })).toBe(403);
  });
});

describe('logging in', () => {
  it('changes the token into a cookie for a week', async () => {
    const answer = await logIn({ token: ADMIN_TOKEN });
    expect(answer.json()).toEqual({ status: 'success', expires_at: '2026-01-08T00:00:00.000Z' });
    const cookie = String(answer.headers['set-cookie']);
    expect(cookie).toMatch(
      /^firekeeper_login=\d+\.[\w-]{43}; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    expect(cookie).not.toContain(ADMIN_TOKEN);

    expect(await statusWith({ cookie: cookie.split(';')[0] ?? '' })).toBe(200);
    await doors.clock.advance(7 * 24 * 3_600_000);
    expect(await statusWith({ cookie: cookie.split(';')[0] ?? '' })).toBe(401);
  });

  it('makes the cookie Secure behind https', async () => {
    await doors.close();
    doors = await openDoors({ publicUrl: 'https://fire.example' });
    const answer = await logIn(
      { token: ADMIN_TOKEN },
      { host: 'fire.example', origin: 'https://fire.example' },
    );
    expect(String(answer.headers['set-cookie'])).toContain('; Secure');
  });

  it('takes a code once, and for fifteen minutes', async () => {
    const code = doors.login.codes.issue();
    expect(await statusWith({ cookie: await cookieFor({ code }) })).toBe(200);
    expect((await logIn({ code })).json()).toMatchObject({ status: 401, code: 'wrong_code' });

    const late = doors.login.codes.issue();
    await doors.clock.advance(15 * 60_000);
    expect((await logIn({ code: late })).statusCode).toBe(401);
  });

  it('keeps the newest twenty codes', async () => {
    const codes = Array.from({ length: 21 }, () => doors.login.codes.issue());
    expect((await logIn({ code: codes[0] })).statusCode).toBe(401);
    expect((await logIn({ code: codes[1] })).statusCode).toBe(200);
    expect((await logIn({ code: codes[20] })).statusCode).toBe(200);
  });

  it.each([
    ['nothing', {}],
    ['both', { token: ADMIN_TOKEN, code: 'x' }],
    ['a number', { token: 5 }],
    ['an empty token', { token: '' }],
  ])('wants a token or a code: %s is 422', async (_title, body) => {
    expect((await logIn(body)).json()).toMatchObject({ status: 422, code: 'invalid_fields' });
  });

  it('stops looking after ten wrong ones in a minute, from that address alone', async () => {
    for (let i = 0; i < 5; i++) expect((await logIn({ token: `wrong ${i}` })).statusCode).toBe(401);
    for (let i = 0; i < 5; i++) expect(await statusWith({ authorization: `Bearer wrong-${i}` })).toBe(401);

    const blocked = await logIn({ token: ADMIN_TOKEN });
    expect(blocked.json()).toMatchObject({ status: 429, code: 'too_many_attempts' });
    expect(blocked.headers['retry-after']).toBe('60');
    expect(await statusWith(AS_ADMIN)).toBe(429);
    const elsewhere = await doors.http.inject({
      url: '/api/bots',
      headers: AS_ADMIN,
      remoteAddress: '127.0.0.2',
    });
    expect(elsewhere.statusCode).toBe(200);

    await doors.clock.advance(60_000);
    expect((await logIn({ token: ADMIN_TOKEN })).statusCode).toBe(200);
  });

  it('counts wrong codes too, and then takes no right one', async () => {
    const code = doors.login.codes.issue();
    for (let i = 0; i < 10; i++) expect((await logIn({ code: `wrong ${i}` })).statusCode).toBe(401);
    expect((await logIn({ code })).json()).toMatchObject({ status: 429, code: 'too_many_attempts' });
    await doors.clock.advance(60_000);
    expect((await logIn({ code })).statusCode).toBe(200);
  });

  it('counts them for the caller itself, whoever it says that it forwards', async () => {
    for (let i = 0; i < 10; i++)
      await logIn(
        { token: 'wrong' },
        { 'x-forwarded-for': `203.0.113.${i}`, forwarded: `for=203.0.113.${i}` },
      );
    expect((await logIn({ token: ADMIN_TOKEN }, { 'x-forwarded-for': '203.0.113.99' })).statusCode).toBe(429);
  });

  it('leaves those in who are logged in already', async () => {
    const cookie = await cookieFor({ token: ADMIN_TOKEN });
    for (let i = 0; i < 12; i++) await logIn({ token: 'wrong' });
    expect(await statusWith({ cookie })).toBe(200);
  });
});

it('wrong attempts are remembered for a thousand addresses, not for more', () => {
  const attempts = makeAttempts(makeFakeClock());
  for (let i = 0; i < 10; i++) attempts.failed('first');
  for (let i = 0; i < 999; i++) attempts.failed(`address ${i}`);
  expect(attempts.isBlocked('first')).toBe(true);
  attempts.failed('one more');
  expect(attempts.isBlocked('first')).toBe(false);
});
