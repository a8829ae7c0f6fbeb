/** The server beside a Campfire, in both versions that are in the field. */
import { describe, expect, it, onTestFinished } from 'vitest';
import webhooks from '../fixtures/campfire/webhooks.json' with { type: 'json' };
import {
  type CampfireDouble,
  type CampfireVersion,
  type Delivery,
  mentionOf,
  screenHtml,
  startCampfireDouble,
} from '../fixtures/campfire-double.ts';
import { postPlainText } from '../fixtures/campfire-html.ts';
import { makeBotsFolder, startServer, type TestServer, waitFor } from './server.ts';

/** The recorded Campfire's people, bots and rooms. */
const DAVID = 1;
const KEVIN = 2;
const BENDER = { id: 3, key: '3-E67JcbkeECRn' };
const FLEXO = { id: 4, key: '4-PA3QbMzANtHZ' };
const WATERCOOLER = 2;
const WITH_KEVIN = 4;
const WITH_BOTH_BOTS = 5;
const VERSIONS: readonly CampfireVersion[] = ['released', 'newer'];

type Beside = {
  readonly campfire: CampfireDouble;
  readonly server: TestServer;
  readonly restart: () => Promise<TestServer>;
};

/** A Campfire and a server that answers in it, each knowing the other's address. */
async function startBoth(
  version: CampfireVersion,
  options: { readonly database?: boolean; readonly bots?: string } = {},
): Promise<Beside> {
  const campfire = await startCampfireDouble({ version });
  onTestFinished(() => campfire.close());
  const env = {
    CAMPFIRE_URL: campfire.url,
    OFFLINE_MODEL: 'on',
    BOTS_DIRS:
      options.bots ??
      makeBotsFolder(
        { bot_id: 'bender', name: 'Bender', bot_key: BENDER.key },
        { bot_id: 'flexo', name: 'Flexo', bot_key: FLEXO.key },
      ),
    ...(options.database === true ? { CAMPFIRE_DB_PATH: campfire.databasePath } : {}),
  };
  const start = async (dataDir?: string) => {
    const server = await startServer({ env, ...(dataDir === undefined ? {} : { dataDir }) });
    server.mayNotBeLogged(BENDER.key, FLEXO.key);
    return server;
  };
  const server = await start();
  campfire.data.setWebhook(BENDER.id, `${server.url}/webhook/bender`);
  campfire.data.setWebhook(FLEXO.id, `${server.url}/webhook`);
  return { campfire, server, restart: () => start(server.dataDir) };
}

/** Posts that stand in the room, once there are `count` of them. */
function stored(campfire: CampfireDouble, room: number, count: number, withinMs = 30_000) {
  return waitFor(
    () => {
      const posts = campfire.posts().filter((post) => post.room === room && post.id !== null);
      return posts.length >= count ? posts : null;
    },
    { withinMs, otherwise: () => `fewer than ${count} posts in room ${room}` },
  );
}

function expectSilent(deliveries: readonly Delivery[]): void {
  for (const { answer } of deliveries) {
    if (typeof answer === 'string') throw new Error(`a webhook met ${answer}`);
    expect(answer).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect(answer.headers['content-type']).toBeUndefined();
  }
}

/** Of the replies that it owes or owed. */
function states(server: TestServer): readonly unknown[] {
  return server.rows('SELECT state FROM outbox').map(({ state }) => state);
}

/** White space is the renderer's to choose. */
function wordsOf(text: string): string {
  return text.replaceAll(/\s/g, '');
}

describe.each(VERSIONS)('beside a %s Campfire', (version) => {
  it('a mention is answered once, in its room, by the bot that was mentioned', async () => {
    const { campfire } = await startBoth(version);
    const said = await campfire.say(
      WATERCOOLER,
      KEVIN,
      `<div>${mentionOf(BENDER.id)} what is 2 &lt; 3?</div>`,
    );
    expectSilent(await said.deliveries);
    expect(await stored(campfire, WATERCOOLER, 1)).toMatchObject([
      {
        key: BENDER.key,
        bot: BENDER.id,
        status: 201,
        contentType: 'text/plain; charset=utf-8',
        html: expect.stringContaining('You said: “what is 2 &lt; 3?”'),
      },
    ]);
    expect(campfire.webhookPosts()).toEqual([]);
  });

  it('every recorded webhook is taken as Campfire means it, and a second delivery does nothing', async () => {
    const { campfire, server } = await startBoth(version);
    const to = ({ path }: { path: string }) => `${server.url}/webhook${path.replace(/\?.*/, '')}`;
    let answered = 0;
    for (const webhook of webhooks) {
      const { user, room, message } = JSON.parse(webhook.body);
      const before = campfire.posts().length;
      expectSilent([await campfire.sendWebhook(to(webhook), { body: webhook.body })]);
      if (user.id === BENDER.id) continue;
      const posts = await waitFor(() => (campfire.posts().length > before ? campfire.posts() : null));
      const post = posts[before];
      answered += 1;
      expect(post).toMatchObject({ room: room.id, status: 201 });
      expect(room.path).toContain(post?.key);
      const quoted = message.body.plain.slice(0, 200);
      const expected = quoted === '' ? 'I am Bender' : `You said: “${quoted}`;
      expect(wordsOf(postPlainText(post?.html ?? '')), webhook.name).toContain(wordsOf(expected));
    }
    for (const webhook of webhooks)
      expectSilent([await campfire.sendWebhook(to(webhook), { body: webhook.body })]);
    // Whatever a second delivery had set off would have gone out before these.
    await campfire.say(WITH_KEVIN, KEVIN, 'the last word');
    await campfire.say(WITH_BOTH_BOTS, KEVIN, 'the last word');
    await waitFor(() => (campfire.posts().length >= answered + 3 ? true : null));
    expect(campfire.posts().map(({ html }) => html)).toHaveLength(answered + 3);
    expect(answered).toBe(webhooks.length - 1);
    expect(campfire.webhookPosts()).toEqual([]);
  });

  it('two bots of a direct room each answer a person once and never each other', async () => {
    const { campfire, server } = await startBoth(version);
    await campfire.say(WITH_BOTH_BOTS, KEVIN, 'hello bots');
    const posts = await stored(campfire, WITH_BOTH_BOTS, 2);
    expect(posts.map(({ bot }) => bot).sort()).toEqual([BENDER.id, FLEXO.id]);
    // Each bot is told of the person's message and of the other's answer.
    await waitFor(() => (campfire.deliveries().length >= 4 ? true : null));
    expectSilent(campfire.deliveries());
    await waitFor(async () => {
      const { depth, total_requests } = await server.getJson<Record<string, number>>('/queue/stats');
      return depth === 0 && total_requests === 4 ? true : null;
    });
    expect(campfire.posts()).toHaveLength(2);
  });

  it('Markdown, a table and a bare < all stay on screen', async () => {
    const { campfire } = await startBoth(version);
    const lines = [
      'answer exactly:',
      '# Cities',
      '',
      '**Bold** and `a &lt; b`, a Map&lt;String, City&gt;, no &lt;script&gt;alert(1)&lt;/script&gt;',
      '',
      '| City | People |',
      '| --- | --- |',
      '| Berlin | 3.7 million |',
      '| 東京 | 14 million |',
      '',
      '```',
      'if (a &lt; b) {',
      '  swap()',
      '}',
      '```',
    ];
    await campfire.say(WITH_KEVIN, KEVIN, `<div>${lines.join('<br>')}</div>`);
    const [post] = await stored(campfire, WITH_KEVIN, 1);
    const screen = screenHtml(post?.html ?? '');
    expect(screen).toContain('<h1>Cities</h1>');
    expect(screen).toContain('<strong>Bold</strong> and <code>a &lt; b</code>, a Map&lt;String, City&gt;');
    expect(screen).toContain('no &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(screen).toMatch(/Berlin.*3\.7 million/);
    expect(screen).toMatch(/東京.*14 million/);
    expect(screen).toContain('<pre>if (a &lt; b) {\n  swap()\n}</pre>');
  });

  it('a reply that was under way when the server was killed stands in the room once', async () => {
    const { campfire, server, restart } = await startBoth(version, { database: version === 'released' });
    const gate = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    campfire.failNext({ kind: 'held', until: gate.promise, onArrival: arrived.resolve });
    await campfire.say(WATERCOOLER, DAVID, `${mentionOf(BENDER.id)} answer exactly: only once`);
    await arrived.promise;
    await server.kill();
    gate.resolve();
    await stored(campfire, WATERCOOLER, 1);
    const again = await restart();
    await waitFor(() => (states(again).every((state) => state === 'sent') ? true : null));
    expect(campfire.posts()).toMatchObject([{ html: '<p>only once</p>' }]);
  });
});

describe('beside a Campfire', () => {
  it('a bot without a key in its file learns it from its webhook', async () => {
    const bots = makeBotsFolder({ bot_id: 'bender', default: true });
    const { campfire } = await startBoth('newer', { bots });
    await campfire.say(WITH_KEVIN, KEVIN, 'who are you?');
    expect(await stored(campfire, WITH_KEVIN, 1)).toMatchObject([{ bot: BENDER.id }]);
  });
});
