/** The page in a real browser, on the real server with the offline model. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROWSER_IS_MISSING, launchBrowser, openPage } from './browser.ts';
import { startServer, type TestMessage, type TestServer, type TestTurn } from './server.ts';

const WAIT = { timeout: 30_000 };

describe.skipIf(BROWSER_IS_MISSING)('the page', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const open = (address: string, options: BrowserContextOptions = {}): Promise<Page> =>
    openPage(browser, address, { viewport: { width: 1280, height: 800 }, ...options });

  test('a person opens the printed link, writes, and sees each answer with what its turn started from', async () => {
    const server = await startServer();
    const page = await open(loginLink(server));

    await write(page, 'Hello! Who are you?');
    await page.locator('li.bot figure').waitFor(WAIT);
    await write(page, 'And now?');
    await page.locator('li.bot figure').nth(1).waitFor(WAIT);

    expect(page.url()).toBe(`${server.url}/`);
    expect(await page.locator('li.message').count()).toBe(4);
    expect(await page.locator('li.bot').first().textContent()).toContain('Hello! Who are you?');
    expect(await page.locator('li.bot .badge').allTextContents()).toEqual([
      expect.stringMatching(/^cold · (new|spare)$/),
      'hot · reused',
    ]);
    expect(await page.locator('li.bot .bar').first().getAttribute('aria-label')).toMatch(
      /^waited .+, opened .+, first text .+, rest .+$/,
    );
    expect(await page.locator('#turns li').count()).toBe(2);
    expect(await page.locator('#running').textContent()).toBe('');

    await page.reload();
    await page.locator('li.bot figure').nth(1).waitFor(WAIT);
    expect(await page.locator('li.message').count()).toBe(4);
    expect(await page.locator('#turns .badge').first().textContent()).toBe('hot · reused');
  });

  test('a link works once; the admin token, or a link pasted into the form, does as well', async () => {
    const server = await startServer();
    const link = loginLink(server);
    const first = await open(server.url);
    await logIn(first, link);
    await first.locator('#composer').waitFor(WAIT);

    const second = await open(link);
    await second.getByText('The login code is unknown, used or too old.').waitFor(WAIT);
    await logIn(second, 'wrong');
    await second.getByText('The admin token is wrong.').waitFor(WAIT);
    await logIn(second, server.adminToken);
    await second.locator('#composer').waitFor(WAIT);
    expect(await second.locator('#secret').inputValue()).toBe('');
  });

  test('while the server is away the page says so, and goes on when it is back', async () => {
    const server = await startServer();
    const page = await open(loginLink(server));
    await write(page, 'Before.');
    await page.locator('li.bot figure').waitFor(WAIT);

    await server.kill();
    await page.getByText('Reconnecting…').waitFor(WAIT);
    await startServer({ dataDir: server.dataDir, env: { PORT: new URL(server.url).port } });
    await page.locator('#connection[data-state="live"]').waitFor(WAIT);

    await write(page, 'After.');
    await page.locator('li.bot figure').nth(1).waitFor(WAIT);
    expect(await page.locator('li.message').count()).toBe(4);
    expect(await page.locator('li.bot .badge').nth(1).textContent()).toMatch(/^warm · /);
  });

  test('rooms are kept apart', async () => {
    const server = await startServer();
    const page = await open(loginLink(server));
    await write(page, 'For the lobby.');
    await page.locator('li.bot figure').waitFor(WAIT);

    await page.locator('#room').fill('kitchen');
    await page.locator('#room').press('Tab');
    await page.getByText('Nothing has been said here yet.').waitFor(WAIT);
    expect(await page.locator('li.message').count()).toBe(0);
  });

  test('what a person types, and what a bot says, is never run', async () => {
    const server = await startServer();
    const page = await open(loginLink(server));
    await write(page, '<img src=x onerror="window.ran = true"><b>not bold</b>');
    await page.locator('li.bot figure').waitFor(WAIT);
    expect(await page.locator('li.person .text').innerHTML()).toBe(
      '&lt;img src=x onerror="window.ran = true"&gt;&lt;b&gt;not bold&lt;/b&gt;',
    );

    const copied = await page.evaluate(`import('/elements.js').then(({ safeFragment, make }) => {
      const from = '<p class="x" id="y">Hi <script>window.ran = true<\\/script><b>bold</b> ' +
        '<a href="javascript:window.ran = true">no</a> <a href="https://example.com/">yes</a> ' +
        '<video src="x">film</video></p><iframe srcdoc="x">frame</iframe>';
      return make('div', {}, safeFragment(from)).innerHTML;
    })`);
    expect(copied).toBe(
      '<p>Hi <b>bold</b> <a>no</a> ' +
        '<a href="https://example.com/" target="_blank" rel="noopener noreferrer">yes</a> film</p>',
    );
    expect(await page.evaluate('window.ran')).toBeUndefined();
  });

  test('what the server sends is shown as text and harmless elements, whatever it is', async () => {
    const server = await startServer();
    const page = await open(loginLink(server));
    await write(page, 'Hello!');
    await page.locator('li.bot figure').waitFor(WAIT);
    const hostile = '<img src="/x.png"><iframe srcdoc="x"></iframe>';
    await page.route('**/local/rooms/*/messages*', async (route) => {
      const { messages } = await (await route.fetch()).json();
      const changed = messages.map((message: TestMessage) => ({
        ...message,
        author: { ...message.author, name: hostile },
        html: `<p class="x">${hostile}kept</p>`,
      }));
      await route.fulfill({ json: { messages: changed } });
    });
    await page.route('**/api/turns*', async (route) => {
      const { turns } = await (await route.fetch()).json();
      const changed = turns.map((turn: TestTurn) => ({ ...turn, reason: hostile, outcome: hostile }));
      await route.fulfill({ json: { turns: changed } });
    });
    await page.reload();
    await page.locator('li.bot .text').waitFor(WAIT);
    expect(await page.locator('li.bot .text').innerHTML()).toBe('<p>kept</p>');
    expect(await page.locator('li.bot .author').textContent()).toContain(hostile);
    await page.locator('li.bot .reason').waitFor(WAIT);
    expect(await page.locator('li.bot .reason').textContent()).toBe(hostile);
    expect(await page.locator('main :is(img, iframe)').count()).toBe(0);
  });

  test('on a phone nothing stands out sideways, and the turns come when asked for', async () => {
    const server = await startServer();
    const page = await open(loginLink(server), { viewport: { width: 360, height: 700 } });
    await write(page, `A long word: ${'long'.repeat(60)}`);
    await page.locator('li.bot figure').waitFor(WAIT);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);

    expect(await page.locator('#turns').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Turns' }).click();
    expect(await page.locator('#turns').isVisible()).toBe(true);
    expect(await page.locator('#chat').isVisible()).toBe(false);
  });
});

/** The address with its single-use code, as the server printed it. */
function loginLink(server: TestServer): string {
  const [link] = /http:\/\/\S+#code=\S+/.exec(server.output()) ?? [];
  if (link === undefined) throw new Error('the server printed no login link');
  return link;
}

async function logIn(page: Page, secret: string): Promise<void> {
  await page.getByLabel('Login link or admin token').fill(secret);
  await page.getByRole('button', { name: 'Log in' }).click();
}

async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByLabel('Message', { exact: true }).press('Enter');
}
