import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../../functions/rollout/world.ts';
import { LOCAL_USER } from '../../local/names.ts';
import { hostile, midRollout, rejected, rolledBack, servesBefore } from '../unit/console/page-records.ts';
import {
  findChromium,
  keepScreenshot,
  LOOKS,
  type LookName,
  launchChromium,
  openTab,
  type Tab,
} from './browser.ts';
import { Crowd, oneOfTheCrowd } from './crowd.ts';
import { countInjected, findFaintTexts, findTooWide, focus } from './in-page.js';
import { readingFaults } from './page-checks.ts';
import { GATED } from './world.ts';

/** The console's page in a real browser, before the functions of a local cloud. Pictures: .slipway/screenshots */

const found = findChromium();

if (found.missing) test.skip(`the console's page is not tested in a browser: ${found.missing}`, () => {});

/** For what hangs. */
const BOUND = { timeout: 60_000 };

const HOSTILE =
  '<img src="/x" onerror="alert(1)"><script>alert(2)</script> \u001b[31mred\u0007 \u202egnirts\u2066 z\u0301\u0301\u0301\u0301\u0301 "\'>&amp; ';

describe.skipIf(found.missing)('the console in Chromium', () => {
  let crowd: Crowd;
  let browser: Browser;
  let origin: string;
  let image: string;
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    const services = ['clicked', 'aborted', 'quiet'].map(name => oneOfTheCrowd(name, GATED));
    [crowd, browser] = await Promise.all([Crowd.open(services), launchChromium(found.file ?? '')]);
    origin = crowd.world.cloud.functions.urls.console;
    const nowMs = Date.now();
    await put(
      midRollout('shop', nowMs),
      midRollout('typed', nowMs),
      rolledBack('payments', nowMs),
      servesBefore('payments', nowMs),
      rejected('search', nowMs),
      hostile('hostile', HOSTILE, nowMs),
    );
    image = await crowd.build('1');
    await Promise.all([crowd.serve('clicked'), crowd.serve('aborted')]);
    // Is at its gate when its test comes.
    crowd.push('aborted-1', image);
  });

  afterAll(async () => {
    await browser?.close();
    await crowd?.close();
  });

  function put(...worlds: readonly Partial<World>[]): Promise<void> {
    return crowd.world.store.transact(async transaction => {
      for (const { rollout, service } of worlds) {
        if (rollout) transaction.write('rollout', rollout.id, rollout);
        if (service) transaction.write('service', service.name, service);
        if (rollout && service) ids[service.name] = rollout.id;
      }
    });
  }

  /** Opens a page and waits until it shows what it has to. */
  async function open(path: string, look: LookName = 'light'): Promise<Tab> {
    const tab = await openTab(browser, origin, look);
    await go(tab.page, path);
    return tab;
  }

  async function go(page: Page, path: string): Promise<void> {
    await page.goto(`${origin}${path}`, { waitUntil: 'commit' });
    await page.locator('main h1').waitFor();
  }

  async function done({ offences, close }: Tab): Promise<void> {
    await close();
    expect(offences).toEqual([]);
  }

  function headline(page: Page): Promise<string> {
    return page.locator('.headline').innerText();
  }

  test.concurrent('shows a rollout from the first page on, and promotes it by clicks', async () => {
    const tab = await open('/');
    const { page } = tab;
    crowd.push('clicked-1', image);
    await page.getByRole('link', { name: 'clicked', exact: true }).click();
    await page.getByRole('link', { name: 'clicked-1' }).click();
    await page.getByRole('heading', { level: 1, name: /Paused/ }).waitFor();
    expect(await headline(page)).toMatch(/clicked-1 gets 50 % on us\. .*It waits for a person to promote it/);
    await page
      .getByRole('group', { name: 'Commands' })
      .getByRole('button', { name: 'Promote', exact: true })
      .click();
    const dialog = page.getByRole('dialog', { name: 'Promote clicked clicked-1?' });
    expect(await dialog.innerText()).toContain('The gate at wave 1 step 2 opens, once.');
    await dialog.getByRole('textbox', { name: /^Reason/ }).fill('looks good');
    await keepScreenshot(page, 'dialog-light');
    await dialog.getByRole('button', { name: 'Promote' }).click();
    await page.getByRole('heading', { level: 1, name: /Healthy/ }).waitFor();
    await page.locator('[data-fate=done]').getByText(`${LOCAL_USER} (looks good): promote`).waitFor();
    expect(await page.title()).toBe('Healthy clicked-1 · clicked · Slipway');
    expect(await page.getByRole('status').allInnerTexts()).toContainEqual(
      expect.stringContaining('Healthy.'),
    );
    await keepScreenshot(page, 'promoted-light');
    await done(tab);
  });

  test.concurrent('takes a rollout back with one click and a confirmation, on a phone', async () => {
    const { id } = await crowd.world.until('aborted', 'aborted-1', ({ phase }) => phase === 'Paused');
    const tab = await open(`/rollouts/${id}`, 'phone');
    const { page } = tab;
    const abort = page.getByRole('group', { name: 'Commands' }).getByRole('button', { name: 'Abort' });
    await page.getByRole('heading', { name: 'Facts' }).scrollIntoViewIfNeeded();
    expect(await abort.isVisible()).toBe(true);
    await abort.tap();
    await page.getByRole('dialog').getByRole('button', { name: 'Abort' }).tap();
    await page.getByRole('heading', { name: 'Why it was taken back' }).waitFor();
    expect(await headline(page)).toMatch(/^aborted-1 was taken back\. What served before serves again\./);
    expect(await abort.getAttribute('aria-disabled')).toBe('true');
    await keepScreenshot(page, 'aborted-phone');
    expect((await crowd.world.until('aborted', 'aborted-1')).phase).toBe('Degraded');
    await done(tab);
  });

  test.concurrent('promotes with the keyboard alone', async () => {
    const id = ids['typed'] ?? '';
    const tab = await open(`/rollouts/${id}`);
    const { page } = tab;
    await page.locator('.actions').waitFor();
    for (let presses = 0; presses < 20; presses++) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate(focus)).text === 'Promote') break;
    }
    expect(await page.evaluate(focus)).toMatchObject({ text: 'Promote', outline: 'solid' });
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.type('by keyboard');
    await page.keyboard.press('Enter');
    const given = `${LOCAL_USER} (by keyboard): promote wave 1 step 4`;
    await page.locator('[data-fate=done]').getByText(given).waitFor();
    const rollout = await crowd.world.store.read('rollout', id);
    expect(rollout?.pause?.promotedBy).toBe(LOCAL_USER);
    await done(tab);
  });

  test.concurrent('freezes a service before its first rollout, once, although the answer got lost', async () => {
    const { page, offences, close } = await open('/services/quiet');
    const sent: string[] = [];
    await page.route('**/api/commands', async route => {
      sent.push(Object(route.request().postDataJSON()).id);
      if (sent.length > 1) return route.continue();
      await route.fetch();
      return route.abort();
    });
    await page.getByRole('button', { name: 'Freeze', exact: true }).click();
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Freeze' });
    await confirm.click();
    await page.getByRole('alert').getByText('Send it again: it counts once').waitFor();
    await confirm.click();
    await page.getByText(`Frozen by ${LOCAL_USER}`).waitFor();
    await page.locator('[data-fate=done]').getByText('Freeze: done.').waitFor();
    const service = await crowd.world.store.read('service', 'quiet');
    expect(service?.frozen?.by).toBe(LOCAL_USER);
    expect(sent).toHaveLength(2);
    expect(new Set(sent)).toEqual(new Set(service?.handled));
    await close();
    expect(offences.filter(text => !text.includes('net::ERR_FAILED'))).toEqual([]);
  });

  test.concurrent('shows hostile text as text, everywhere, on screens of any width', async () => {
    const tab = await open('/?search=hostile', 'phone');
    const { page } = tab;
    for (const path of ['/?search=hostile', '/services/hostile', `/rollouts/${ids['hostile']}`]) {
      await page.setViewportSize(LOOKS.phone.viewport);
      await go(page, path);
      await page.getByText('<script>alert(2)</script>').first().waitFor();
      expect(await page.evaluate(countInjected)).toBe(0);
      expect(await page.locator('main').innerText()).not.toMatch(
        /(?!\n|\t)[\p{Cc}\u202a-\u202e\u2066-\u2069]/u,
      );
      expect([path, await page.evaluate(findTooWide)]).toEqual([path, []]);
      await page.setViewportSize(LOOKS.light.viewport);
      expect([path, await page.evaluate(findTooWide)]).toEqual([path, []]);
    }
    await keepScreenshot(page, 'hostile-light');
    await done(tab);
  });

  test.concurrent.each([
    ['light', ['services', 'service', 'mid', 'back', 'rejected']],
    ['phone', ['services', 'service', 'mid', 'rejected']],
  ] as const)('can be read and heard: %s', async (look, names) => {
    const paths = {
      services: '/',
      service: '/services/payments',
      mid: `/rollouts/${ids['shop']}`,
      back: `/rollouts/${ids['payments']}`,
      rejected: `/rollouts/${ids['search']}`,
    };
    const tab = await open('/', look);
    const { page } = tab;
    for (const name of names) {
      await page.emulateMedia({ colorScheme: 'light' });
      await go(page, paths[name]);
      await page.getByText('Loading').first().waitFor({ state: 'detached' });
      expect([name, ...(await readingFaults(page))]).toEqual([name]);
      expect(await page.getByRole('banner').count()).toBe(1);
      expect(await page.getByRole('main').count()).toBe(1);
      await keepScreenshot(page, `${name}-${look}`);
      if (look === 'phone') continue;
      await page.emulateMedia({ colorScheme: 'dark' });
      expect([name, ...(await page.evaluate(findFaintTexts))]).toEqual([name]);
      if (name === 'mid' || name === 'services') await keepScreenshot(page, `${name}-dark`);
    }
    await done(tab);
  });

  test.concurrent('tells by slider, legend and table what its charts show', async () => {
    const tab = await open(`/rollouts/${ids['shop']}`);
    const { page } = tab;
    await page.getByRole('link', { name: 'All commands' }).click();
    expect(new URL(page.url()).hash).toBe('#commands');
    const errors = page.getByRole('slider', { name: /^Error ratio/ });
    await errors.focus();
    await page.keyboard.press('End');
    await page.locator('.tip').waitFor();
    expect(await errors.getAttribute('aria-valuetext')).toMatch(
      /^\d\d:\d\d:\d\d: canary 0\.473 %, stable 0\.189 %, limit 1\.19 %$/,
    );
    const last = Number(await errors.getAttribute('aria-valuenow'));
    await page.keyboard.press('ArrowLeft');
    await expect
      .poll(async () => Number(await errors.getAttribute('aria-valuenow')), BOUND)
      .toBeLessThan(last);
    await page.getByText('Figures of the traffic').click();
    const table = page.getByRole('region', { name: 'Figures of the traffic' }).getByRole('table');
    expect(await table.getByRole('row').count()).toBe(5);
    await page.getByRole('button', { name: 'Traffic', exact: true }).click();
    const events = page.getByRole('region', { name: 'Events, newest first' }).getByRole('listitem');
    await expect.poll(() => events.count(), BOUND).toBe(4);
    await done(tab);
  });

  test.concurrent('says when the line is down, and when the session is over', async () => {
    const tab = await openTab(browser, origin, 'phone');
    const { page, offences } = tab;
    let isSignedIn = true;
    await page.clock.install();
    await page.route('**/api/watch?*', route => route.abort());
    await page.route('**/api/me', route =>
      isSignedIn ? route.continue() : route.fulfill({ status: 401, body: 'Unauthorized' }),
    );
    await page.goto(`${origin}/rollouts/${ids['shop']}`);
    await page.getByRole('heading', { level: 1, name: /shop/ }).waitFor();
    await page.clock.runFor(6000);
    await page.getByText(/Not live what you see is \d+ s old; trying again/).waitFor();
    isSignedIn = false;
    await page.clock.runFor(20_000);
    await page.getByText('Signed out your session has ended').waitFor();
    expect(await readingFaults(page)).toEqual([]);
    await keepScreenshot(page, 'signed-out-phone');
    isSignedIn = true;
    await page.unroute('**/api/watch?*');
    await page.getByRole('button', { name: 'Reload the page' }).tap();
    await page.getByText('● Live').waitFor();
    await tab.close();
    expect(offences.filter(text => !/net::ERR_FAILED|status of 401/.test(text))).toEqual([]);
  });

  test.concurrent('says in a sentence what it cannot show', async () => {
    const tab = await open('/rollouts/nobody-1');
    await tab.page.getByRole('alert').getByText('there is no such rollout').waitFor();
    await go(tab.page, '/services/nobody');
    await tab.page.getByRole('alert').getByText('neither the policy nor the records').waitFor();
    expect(await readingFaults(tab.page)).toEqual([]);
    expect(tab.offences).toEqual([expect.stringContaining('404'), expect.stringContaining('404')]);
    await tab.close();
  });

  test('pages through more than a hundred services and finds one', async () => {
    const nowMs = Date.now();
    const names = Array.from({ length: 110 }, (_, index) => `many-${String(index).padStart(3, '0')}`);
    await put(...names.map(name => rejected(name, nowMs)));
    const tab = await open('/?search=many');
    const { page } = tab;
    const rows = page.getByRole('table').getByRole('rowheader');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(100);
    await page.getByRole('button', { name: 'Next 100 →' }).click();
    await page.getByRole('rowheader', { name: 'many-109' }).waitFor();
    expect(await rows.count()).toBe(10);
    await page.getByRole('button', { name: '← Back' }).click();
    await page.getByRole('rowheader', { name: 'many-000' }).waitFor();
    await page.getByRole('searchbox', { name: 'Find a service' }).fill('many-10');
    await expect.poll(() => rows.count(), BOUND).toBe(10);
    expect((await page.evaluate(focus)).id).toBe('search');
    await done(tab);
  });
});
