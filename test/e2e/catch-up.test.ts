/** Messages that were sent while nobody listened: each is answered late, and once. */
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type CampfireDouble,
  type CampfireVersion,
  mentionOf,
  startCampfireDouble,
} from '../fixtures/campfire-double.ts';
import { makeBotsFolder, startServer, type TestServer, waitFor } from './server.ts';

const KEVIN = 2;
const BENDER = { id: 3, key: '3-E67JcbkeECRn' };
const [WATERCOOLER, WITH_KEVIN] = [2, 4] as const;

type Setup = { readonly version: CampfireVersion; readonly database: boolean };

/** A Campfire with what `before` puts into it, and a server that knows where to read it. */
async function startBoth(setup: Setup, before: (campfire: CampfireDouble) => void = () => {}) {
  const campfire = await startCampfireDouble({ version: setup.version });
  onTestFinished(() => campfire.close());
  campfire.data.setWebhook(BENDER.id, 'http://127.0.0.1:9/not-there-yet');
  before(campfire);
  const env = {
    CAMPFIRE_URL: campfire.url,
    OFFLINE_MODEL: 'on',
    SPARE_AGENTS: '0',
    REWARM_SESSIONS: '0',
    BOTS_DIRS: makeBotsFolder({ bot_id: 'bender', name: 'Bender', bot_key: BENDER.key }),
    ...(setup.database ? { CAMPFIRE_DB_PATH: campfire.databasePath } : {}),
  };
  const start = async (dataDir?: string): Promise<TestServer> => {
    const server = await startServer({ env, ...(dataDir === undefined ? {} : { dataDir }) });
    server.mayNotBeLogged(BENDER.key);
    campfire.data.removeWebhooks();
    campfire.data.setWebhook(BENDER.id, `${server.url}/webhook`);
    return server;
  };
  const server = await start();
  return { campfire, server, restart: () => start(server.dataDir) };
}

/** The answers that stand in all rooms, once there are `count`. A remark that somebody has to wait is none. */
function replies(campfire: CampfireDouble, count: number): Promise<readonly string[]> {
  return waitFor(
    () => {
      const posts = campfire.posts().filter(({ id, html }) => id !== null && !html.includes('⏳'));
      return posts.length >= count ? posts.map(({ html }) => html) : null;
    },
    { withinMs: 30_000, otherwise: () => `fewer than ${count} replies` },
  );
}

const exactly = (text: string) => `<div>answer exactly: ${text}</div>`;
const toBender = (text: string) => `<div>${mentionOf(BENDER.id)} answer exactly: ${text}</div>`;

const READABLE = [
  ['a newer Campfire', { version: 'newer', database: false }],
  ['the released Campfire with its database', { version: 'released', database: true }],
] as const;

describe.each(READABLE)('beside %s', (_name, setup) => {
  it('what was sent while the server was down is answered once, late, whether its webhook comes after all or not', async () => {
    const { campfire, server, restart } = await startBoth(setup);
    await campfire.say(WATERCOOLER, KEVIN, toBender('heard one'));
    const { id: edited } = await campfire.say(WITH_KEVIN, KEVIN, exactly('heard two'));
    await replies(campfire, 2);
    await server.stop();

    campfire.data.edit(edited, exactly('heard two, edited'));
    const missed = [
      await campfire.say(WATERCOOLER, KEVIN, toBender('missed one')),
      await campfire.say(WITH_KEVIN, KEVIN, exactly('missed two')),
    ];
    for (const { deliveries } of missed)
      expect(await deliveries).toMatchObject([{ answer: 'no connection' }]);
    const [body = ''] = campfire
      .deliveries()
      .map((delivery) => delivery.body)
      .slice(-2);
    const again = await restart();
    const { answer } = await campfire.sendWebhook(`${again.url}/webhook`, { body });
    expect(answer).toMatchObject({ status: 200 });
    await replies(campfire, 4);

    await campfire.say(WITH_KEVIN, KEVIN, exactly('the last word'));
    const all = await replies(campfire, 5);
    expect(all.toSorted()).toEqual(
      ['heard one', 'heard two', 'missed one', 'missed two', 'the last word'].map((text) => `<p>${text}</p>`),
    );
    expect(campfire.webhookPosts()).toEqual([]);
    // Kept as it was sent, and marked; of the other one the webhook may have come first.
    const sentAt = Date.parse(campfire.data.message(missed[1]?.id ?? 0)?.createdAt ?? '');
    const late = again.rows('SELECT message_id, sent_at FROM inbox WHERE sent_at IS NOT NULL ORDER BY id');
    expect(late).toContainEqual({ message_id: String(missed[1]?.id), sent_at: sentAt });
  });
});

it('a new server answers nothing that was said before it came', async () => {
  const { campfire } = await startBoth({ version: 'released', database: true }, ({ data }) => {
    data.create(WITH_KEVIN, KEVIN, { html: exactly('too old') });
  });
  await campfire.say(WITH_KEVIN, KEVIN, exactly('hello'));
  expect(await replies(campfire, 1)).toEqual(['<p>hello</p>']);
});

it('where Campfire can be read in no way, the server says that missed messages are lost', async () => {
  const { server } = await startBoth({ version: 'released', database: false });
  const problem = await waitFor(async () => {
    type Body = { readonly problems: readonly { readonly field: string | null; readonly reason: string }[] };
    const { problems } = await server.getJson<Body>('/api/bots');
    return problems.find(({ field }) => field === 'CAMPFIRE_DB_PATH') ?? null;
  });
  expect(problem.reason).toContain('lost');
});
