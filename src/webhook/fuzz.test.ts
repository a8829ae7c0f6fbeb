import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Doors, openDoors } from '../../test/fixtures/front-doors.ts';

let doors: Doors;
beforeAll(async () => {
  doors = await openDoors();
});
afterAll(() => doors.close());

const RUNS = { numRuns: 500 };
const EXPECTED = [200, 400, 401, 403, 404, 405, 413, 415, 422];

async function expectQuiet(request: {
  readonly url?: string;
  readonly type?: string;
  readonly payload: string | Buffer;
}): Promise<void> {
  const answer = await doors.http.inject({
    method: 'POST',
    url: request.url ?? '/webhook',
    headers: { 'content-type': request.type ?? 'application/json' },
    payload: request.payload,
  });
  expect(EXPECTED).toContain(answer.statusCode);
  expect(answer.body).toBe('');
  expect(answer.headers).not.toHaveProperty('content-type');
}

/** Strings with everything in them that has ever broken somebody: NUL, half pairs, markup, other alphabets. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('\0', '\ud800', '<script>', '__proto__', 'constructor', '../../etc', '%00', '\u2028'),
);
const anything = fc.oneof(fc.jsonValue(), text, fc.double(), fc.constant(undefined));
const id = fc.oneof(fc.integer(), text, anything);
const person = fc.oneof(fc.record({ id, name: fc.oneof(text, anything) }, { requiredKeys: [] }), anything);
const room = fc.oneof(
  fc.record({ id, name: fc.oneof(text, anything), path: fc.oneof(text, anything) }, { requiredKeys: [] }),
  anything,
);
const body = fc.oneof(
  fc.record({ plain: fc.oneof(text, anything), html: fc.oneof(text, anything) }, { requiredKeys: [] }),
  anything,
);
const message = fc.oneof(fc.record({ id, body }, { requiredKeys: [] }), anything);
const nearlyCampfire = fc.record({ user: person, room, message }, { requiredKeys: [] });
const nearlyFlat = fc.record(
  { creator: person, room, content: fc.oneof(text, anything), id },
  { requiredKeys: [] },
);

describe('whatever a caller sends, it is answered with nothing in it', () => {
  it('for any JSON', () =>
    fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 6 }), (payload) => expectQuiet({ payload })),
      RUNS,
    ));

  it('for any bytes of any type', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2_000 }),
        fc.constantFrom(
          'application/json',
          'application/json; charset=latin1',
          'text/plain',
          'multipart/form-data',
          'x',
        ),
        (bytes, type) => expectQuiet({ payload: Buffer.from(bytes), type }),
      ),
      RUNS,
    ));

  it("for anything that resembles Campfire's shape or the flat one", () =>
    fc.assert(
      fc.asyncProperty(fc.oneof(nearlyCampfire, nearlyFlat), (payload) =>
        expectQuiet({ payload: JSON.stringify(payload) }),
      ),
      RUNS,
    ));

  it('for any bot in the address', () =>
    fc.assert(
      fc.asyncProperty(text, (bot) => {
        // The tests' client resolves dot segments itself, as every client does.
        fc.pre(!/^\.{0,2}$/.test(bot));
        return expectQuiet({ url: `/webhook/${encodeURIComponent(bot.toWellFormed())}`, payload: '{}' });
      }),
      RUNS,
    ));

  it.each([
    ['lists in lists', '['.repeat(1_000_000), ']'.repeat(1_000_000)],
    ['objects in objects', '{"a":'.repeat(500_000), `1${'}'.repeat(500_000)}`],
  ])('for a million %s', (_title, opening, closing) => expectQuiet({ payload: opening + closing }));
});
