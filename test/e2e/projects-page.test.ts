/** The page of projects in a real browser, on the real server with the offline model. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROWSER_IS_MISSING, launchBrowser, openPage } from './browser.ts';
import { write } from './project-world.ts';
import { startServer } from './server.ts';

const WAIT = { timeout: 60_000 };

describe.skipIf(BROWSER_IS_MISSING)('the page of projects', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  const open = (address: string): Promise<Page> =>
    openPage(browser, address, { viewport: { width: 1280, height: 900 } });

  async function ask(page: Page, prompt: string): Promise<void> {
    await page.locator('#prompt').fill(prompt);
    await page.locator('#composer button').click();
  }

  test('makes a project, shows an update as it goes, and its versions as a chain', {
    timeout: 180_000,
  }, async () => {
    const server = await startServer();
    const page = await open(`${server.url}/projects.html`);
    await page.getByText('Log in first').waitFor(WAIT);
    const [, code] = /(#code=\S+)/.exec(server.output()) ?? [];
    await page.goto(`${server.url}/${code}`);
    await page.locator('#composer').waitFor(WAIT);
    await page.getByRole('link', { name: 'Projects' }).click();

    await page.getByText('There is none yet.').waitFor(WAIT);
    await page.locator('#new-name').fill('Shop');
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByRole('heading', { name: 'Shop' }).waitFor(WAIT);
    await page.getByText('No version yet.').waitFor(WAIT);

    await ask(page, `First: think for 2 seconds, then ${write('a.txt', 'one <b>\n')}`);
    await page.locator('.update .steps li[data-step="edit"]').waitFor(WAIT);
    await page.locator('.version[data-no="1"][data-made="fresh"]').waitFor(WAIT);
    await page.locator('.update').waitFor({ state: 'detached', ...WAIT });
    await ask(page, `Second: ${write('b.txt', 'two\n')}`);
    await page.locator('.version[data-no="2"][data-made="resume"]').waitFor(WAIT);
    expect(await page.locator('.chain .no').allTextContents()).toEqual(['v1', 'v2']);

    await page.locator('.version[data-no="1"]').click();
    await page.getByRole('heading', { name: /^Version 1: / }).waitFor(WAIT);
    expect(await page.locator('.diff [data-line="added"]').allTextContents()).toContain('+one <b>\n');
    await page.locator('.chips button').first().click();
    expect(await page.locator('#prompt').inputValue()).toBe('Add a test.');
    await page.getByRole('button', { name: 'Restore this version' }).click();
    await page.locator('.version[data-no="3"][data-made="other"]').waitFor(WAIT);
    expect(await page.locator('.projects a[aria-current]').textContent()).toBe('Shopv3');
  });
});
