import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { pino } from 'pino';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { createStore } from '../../shared/store/create-store.ts';
import { startChromium } from '../support/browsers/chromium.ts';
import { bearer } from '../support/logins/bearer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { until } from '../support/machine/wait.ts';
import { startSigningProxy, USER_HEADER } from '../support/proxies/signing-proxy.ts';
import { SIGNED_IN, startApplication } from '../support/services/application.ts';
import {
  type Environment,
  type InProcess,
  runGateway,
  runTicketService,
  settingsOf,
} from '../support/services/in-process.ts';
import { type ServiceProcess, startService } from '../support/services/services.ts';

const artefacts = join(import.meta.dirname, '../artefacts');

/** Each button, the close code in the browser, Oncegate's code and its place, and the stops of the ticket's life. */
const scenarios = [
  ['twice', '1006', 'ticket_consumed', 'HTTP 401', 'issued presented opened presented again closed'],
  ['expire', '1006', 'ticket_expired', 'HTTP 401', 'issued expired presented opened closed'],
  ['password', '1006', 'credentials_invalid', 'HTTP 401', 'issued presented opened closed'],
  ['origin', '1006', 'origin_refused', 'HTTP 403', 'issued presented opened closed'],
  ['limit', '1006', 'connection_limit', 'HTTP 429', 'issued presented opened closed'],
  ['kick', '3003', 'revoked', 'close 3003', 'issued presented opened closed'],
  ['session', '3000', 'session_expired', 'close 3000', 'issued presented opened closed'],
  ['store', '1006', 'store_unavailable', 'HTTP 503', 'issued presented opened closed'],
] as const;

const looks = [
  ['light', { viewport: { width: 1366, height: 860 }, colorScheme: 'light' }],
  ['dark', { viewport: { width: 1366, height: 860 }, colorScheme: 'dark' }],
  ['phone', { viewport: { width: 360, height: 740 }, colorScheme: 'light', hasTouch: true, isMobile: true }],
] as const satisfies ReadonlyArray<readonly [string, BrowserContextOptions]>;

/** What the page writes to the console, except the failed requests that it provokes. */
type Complaints = string[];

async function open(browser: Browser, address: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  atEnd(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(100_000); // a busy machine takes long
  const complaints: Complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const expected = /Failed to load resource: the server responded|WebSocket connection to/;
    if (!expected.test(message.text())) complaints.push(message.text());
  });
  await page.goto(address);
  await page.locator('.scenario').first().waitFor();
  return { page, complaints };
}

async function signIn(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

/** Presses the button of a scenario, and waits until the button shows the result. */
async function press(page: Page, id: string): Promise<void> {
  await page.locator(`#try-${id}`).click();
  await page.locator(`#try-${id}[data-done]:not([aria-disabled="true"])`).waitFor();
}

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).allInnerTexts()).join(' ').replace(/\s+/g, ' ').trim();
}

/** The rules that the page violates now (WCAG 2.2 A and AA, and good practice), with the first element of each. */
async function violationsOf(page: Page): Promise<unknown> {
  await page.evaluate(axe.source); // through the debugger: the page's own policy would not load it
  return page.evaluate(`axe.run(document, { iframes: false }).then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]))`);
}

async function keep(page: Page, name: string): Promise<void> {
  mkdirSync(artefacts, { recursive: true });
  await page.screenshot({ path: join(artefacts, `playground-${name}.png`), fullPage: true });
}

describe.skipIf(isMissing('chromium'))('the page in a real browser', () => {
  let browser: Browser;
  let standalone: ServiceProcess;
  /** The printed address, with the demo user's password. */
  let address: string;

  beforeAll(async () => {
    browser = await startChromium();
    standalone = await startService('standalone', {});
    address = String(await until(() => / {2}try it +(\S+)\n/.exec(standalone.output())?.[1]));
  });

  test('takes the password out of the address at once, and signs in when the button is pressed', async () => {
    const { page } = await open(browser, address);

    expect(new URL(page.url()).hash).toBe('');
    expect(await page.evaluate('history.length')).toBe(2); // about:blank was the first
    expect(await page.getByLabel('Name').inputValue()).toBe('demo');
    expect(address.endsWith(await page.getByLabel('Password').inputValue())).toBe(true);
    await signIn(page);
    expect(await textOf(page, '#signed-in')).toContain('as demo');
  });

  test('says why a sign-in failed, without a dialog of the browser', async () => {
    const { page } = await open(browser, address.replace(/:[^:]*$/, ':wrong'));
    await page.getByRole('button', { name: 'Sign in' }).click();

    await page.getByText('credentials_invalid (HTTP 401)').waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('password');
  });

  test('says credentials_missing before a sign-in', async () => {
    const { page } = await open(browser, new URL('/', address).href);
    await press(page, 'twice');

    expect(await textOf(page, '.told-code')).toBe('credentials_missing');
    expect(await textOf(page, '#events')).toBe('no socket');
    await page.locator('#connect').click();
    await page.locator('.told-code').waitFor();
    expect(await textOf(page, '#talk-state')).toBe('not connected');
    expect(await textOf(page, '.told-code')).toBe('credentials_missing');
  });

  test.each([
    ['laptop', { viewport: { width: 1280, height: 800 } }],
    ['phone', { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true }],
    ['small phone', { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
  ])('signs in by itself, stays so in its tab, and has both answers in view: %s', async (screen, options) => {
    const { page } = await open(browser, address, options);
    await press(page, 'twice');
    expect(await textOf(page, '#signed-in')).toContain('as demo');
    expect(await textOf(page, '.told-code')).toBe('ticket_consumed');
    await page.screenshot({ path: join(artefacts, `playground-view-${screen.replace(' ', '-')}.png`) });
    for (const selector of ['.browser', '.told-advice', '.told-facts']) {
      const box = await page.locator(selector).boundingBox();
      expect(box?.y, selector).toBeGreaterThanOrEqual(0);
      expect((box?.y ?? 0) + (box?.height ?? Infinity), selector).toBeLessThanOrEqual(options.viewport.height);
    }

    await page.reload();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    await press(page, 'twice');
    expect(await textOf(page, '.told-code')).toBe('ticket_consumed');
    const { page: other } = await open(browser, new URL('/', address).href, options);
    expect(await other.locator('#signed-in').isVisible()).toBe(false);

    await page.getByRole('button', { name: 'Sign out' }).click();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    await page.reload();
    await page.locator('.scenario').first().waitFor();
    expect(await page.locator('#sign-in').isVisible()).toBe(true);
  });

  test('connects, talks to the echo, and shows how the connection ends', async () => {
    const { page } = await open(browser, address);
    await signIn(page);
    await page.getByRole('button', { name: 'Connect with a ticket' }).click();
    await page.getByLabel('Message to the echo').fill('hello there');
    await page.keyboard.press('Enter');
    await page.locator('#echo [data-direction="in"]', { hasText: 'hello there' }).waitFor();

    expect(await textOf(page, '#talk-state')).toBe('open');
    expect(await textOf(page, '.told-code')).toBe('admitted');
    await page.locator('.stop[data-state="reached"]', { hasText: 'opened' }).waitFor();
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await page.locator('.stop[data-state="reached"]', { hasText: 'closed' }).waitFor();
    expect(await textOf(page, '#talk-state')).toBe('not connected');
    expect(await textOf(page, '#stamp')).toBe('closed');
  });

  test('shows what another client does to the ticket', async () => {
    const { page } = await open(browser, address);
    await signIn(page);
    await page.getByRole('button', { name: 'Connect with a ticket' }).click();
    await page.locator('#stamp', { hasText: 'open' }).waitFor();
    const id = await textOf(page, '#ticket-id');
    const { hash, origin } = new URL(address);
    const answer = await fetch(`${origin}/tickets/${id}`, {
      method: 'DELETE',
      headers: { Authorization: `Basic ${btoa(hash.slice(1))}` },
    });

    expect(answer.status).toBe(204);
    await page.locator('.stop[data-state="failed"]', { hasText: '3003 revoked' }).waitFor();
    expect(await textOf(page, '#stamp')).toBe('revoked');
    expect(await textOf(page, '.told-code')).toBe('revoked');
  });

  test('can be used with the keyboard only', async () => {
    const { page } = await open(browser, address);
    const reach = async (id: string): Promise<void> => {
      for (let presses = 0; (await page.evaluate('document.activeElement.id')) !== id; presses += 1) {
        if (presses > 40) throw new Error(`#${id} is not reached`);
        await page.keyboard.press('Tab');
      }
    };
    await reach('password');
    await page.keyboard.press('Enter');
    await page.locator('#signed-in').waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('connect');
    await reach('try-kick');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Space');
    await page.locator('#try-kick[data-done]').waitFor();

    expect(await page.evaluate('document.activeElement.id')).toBe('try-kick');
    expect(await textOf(page, '[role="status"]#step')).toContain('Oncegate says: revoked, close 3003.');
  });

  test('says credentials_invalid for every wrong password, and locks no user out', async () => {
    const { page } = await open(browser, address);
    await signIn(page);
    const told: string[] = [];
    for (let presses = 0; presses < 11; presses += 1) {
      await press(page, 'password');
      told.push(await textOf(page, '.told-code'));
    }
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signIn(page);

    expect(told).toEqual(told.map(() => 'credentials_invalid'));
    expect(await textOf(page, '#signed-in')).toContain('as demo');
  });

  test('runs one scenario at a time', async () => {
    const { page } = await open(browser, address);
    await signIn(page);
    await page.locator('#try-session').click();
    await page.locator('#try-twice[aria-disabled="true"]').waitFor();
    await page.locator('#try-twice').click({ force: true }); // a person may press it while it is disabled
    await page.locator('#try-session[data-done]').waitFor();

    expect(await textOf(page, '.told-code')).toBe('session_expired');
    expect(await page.locator('#try-twice[data-done]').count()).toBe(0);
  });

  describe.each(looks)('in %s', (look, options) => {
    let page: Page;
    let complaints: Complaints;
    beforeAll(async () => {
      ({ page, complaints } = await open(browser, address, options));
    });

    test('is accessible and fits at the start', async () => {
      await keep(page, `${look}-0-start`);

      expect(await violationsOf(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.viewport.width);
    });

    test('is accessible and fits while a connection is open', async () => {
      await signIn(page);
      await page.getByRole('button', { name: 'Connect with a ticket' }).click();
      await page.locator('#stamp', { hasText: 'open' }).waitFor();
      await page.getByLabel('Message to the echo').fill('hello there');
      await page.keyboard.press('Enter');
      await page.locator('#echo [data-direction="in"]', { hasText: 'hello there' }).waitFor();
      await keep(page, `${look}-1-open`);

      expect(await violationsOf(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.viewport.width);
      await page.getByRole('button', { name: 'Disconnect' }).click();
      await page.locator('#stamp', { hasText: 'closed' }).waitFor();
    });

    test.each(scenarios)('shows both answers side by side: %s', async (id, closeCode, code, where, stops) => {
      await press(page, id);
      await until(async () => (await textOf(page, '.stop-name')) === stops, { what: `the stops ${stops}` });
      await until(async () => (await textOf(page, '#line-note')) === '', { what: 'the record can be read' });
      await keep(page, `${look}-2-${id}`);

      expect(await textOf(page, '.told-code')).toBe(code);
      expect(await textOf(page, '.told-where')).toBe(where);
      expect(await textOf(page, '.event:last-child')).toContain(`close code ${closeCode}`);
      const refused = where.startsWith('HTTP');
      const opened = ['twice', 'kick', 'session'].includes(id);
      expect(await page.locator('.event', { hasText: /^error/ }).count()).toBe(refused ? 1 : 0);
      expect(await page.locator('.stop[data-state="reached"]', { hasText: 'opened' }).count()).toBe(opened ? 1 : 0);
      const links = page.locator('.told a');
      expect(await links.count()).toBe(refused ? 1 : 0);
      if (refused) expect(await links.getAttribute('href')).toBe(`/problems/${code}`);
      expect(await violationsOf(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.viewport.width);
    });

    test('shows the way on after the last scenario', async () => {
      await page.getByRole('heading', { name: 'Now in your app' }).waitFor();
      expect(await textOf(page, '#next-address')).toBe(new URL('/tickets', address).href);
      await page.locator('#next').scrollIntoViewIfNeeded();
      await keep(page, `${look}-3-next`);
      expect(await violationsOf(page)).toEqual([]);
    });

    test('violates no policy of its own, and animates nothing with reduced motion', async () => {
      expect(complaints).toEqual([]);
      expect(await page.evaluate('document.getAnimations().length')).toBe(0);
    });
  });
});

describe.skipIf(isMissing('chromium'))('the page of a ticket service that can simulate little', () => {
  async function startTicketService(settings: Environment = {}): Promise<InProcess> {
    const store = createStore(await settingsOf({}), pino({ level: 'silent' }));
    const gateway = await runGateway({}, { store });
    const env = { PLAYGROUND: 'true', GATEWAY_URL: `ws://localhost:${gateway.port}`, ...settings };
    return runTicketService(env, { store });
  }

  async function startSite(settings: Environment = {}): Promise<string> {
    return `http://localhost:${(await startTicketService(settings)).port}/`;
  }

  test('signs in with a token, and says what to do by hand', async () => {
    const { page } = await open(await startChromium(), await startSite());
    await page.getByText('With a token instead').click();
    await page.getByLabel('Bearer token or API key').fill((await bearer('ada')).replace('Bearer ', ''));
    await signIn(page);
    await press(page, 'kick');
    expect(await textOf(page, '.told-code')).toBe('revoked');

    await page.locator('#try-limit').click();
    await page.locator('#told', { hasText: 'MAX_CONNECTIONS_PER_SUBJECT=1' }).waitFor();
    await page.locator('#try-store').click();
    await page.locator('#told', { hasText: 'stop Redis' }).waitFor();
    expect(await violationsOf(page)).toEqual([]);
  });

  test('signs in with the cookie of the application, which no request without that choice has', async () => {
    const application = await startApplication();
    const { page } = await open(await startChromium(), await startSite({ AUTH_FORWARD_URL: application.meUrl }));
    const existing = page.getByRole('button', { name: 'Use my existing login' });
    await existing.click();
    await page.getByText('credentials_missing (HTTP 401)').waitFor();
    await page.evaluate(`document.cookie = '${SIGNED_IN}'`);
    await press(page, 'twice');
    expect(await textOf(page, '.told-code')).toBe('credentials_missing');

    await existing.click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    expect(await violationsOf(page)).toEqual([]);
    for (const [id, code] of [
      ['twice', 'ticket_consumed'],
      ['password', 'credentials_invalid'],
      ['kick', 'revoked'],
      ['session', 'session_expired'],
    ] as const) {
      await press(page, id);
      expect(await textOf(page, '.told-code')).toBe(code);
    }
    await page.getByRole('button', { name: 'Connect with a ticket' }).click();
    await page.locator('#talk[data-state="open"]').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await press(page, 'twice');
    expect(await textOf(page, '.told-code')).toBe('credentials_missing');
  });

  test('is there behind a proxy that lets nobody in without its cookie', async () => {
    const proxied = { AUTH_PROXY_HEADER: USER_HEADER, TRUST_PROXY: '127.0.0.1' };
    const { url } = await startSigningProxy(await startTicketService(proxied));
    const [name = '', value = ''] = SIGNED_IN.split('=');
    const lasting = { expires: -1, httpOnly: true, secure: false, sameSite: 'Lax' } as const;
    const cookies = [{ name, value, domain: '127.0.0.1', path: '/', ...lasting }];
    const { page, complaints } = await open(await startChromium(), `${url}/`, {
      storageState: { cookies, origins: [] },
    });

    await page.getByRole('button', { name: 'Use my existing login' }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('says where to go where the gateway would refuse its origin', async () => {
    const site = await startSite();
    const { page } = await open(await startChromium(), site.replace('localhost', '127.0.0.1'));

    expect(await page.locator('#there').getAttribute('href')).toBe(site);
    await page.locator('#there').waitFor();
  });
});
