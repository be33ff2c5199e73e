import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import { quickHash } from '../support/logins/passwords.ts';
import { freePort } from '../support/machine/free-port.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { temporaryFile } from '../support/machine/temporary-file.ts';
import { workerRedis } from '../support/redis/redis.ts';
import { type Fleet, type ServiceProcess, startFleet, startService } from '../support/services/services.ts';

export const PASSWORD = 'a password of the tests';

/** A ticket service that knows the user `ada`, and a gateway that admits one connection of hers. */
export interface Site extends Pick<Fleet, 'ticket'> {
  /** Stops the gateway as an operator would, and starts another one on its port, until the test ends. */
  restartGateway(whileDown: () => Promise<void>): Promise<void>;
}

/** Starts both as processes, for pages of these origins. */
export async function startSite(...origins: string[]): Promise<Site> {
  const redis = await workerRedis();
  const env = {
    GATEWAY_PORT: String(await freePort()),
    AUTH_USERS_FILE: temporaryFile(`ada:${quickHash(PASSWORD)}\n`),
    ALLOWED_ORIGINS: origins.join(),
    MAX_CONNECTIONS_PER_SUBJECT: '1',
    DRAIN_SECONDS: '0',
  };
  const { ticket, gateways } = await startFleet({ redisUrl: redis.url, env });
  let [gateway] = gateways;
  return {
    ticket,
    async restartGateway(whileDown) {
      gateway?.signal('SIGTERM');
      await gateway?.exited;
      await whileDown();
      gateway = await restarted({ REDIS_URL: redis.url, ...env });
    },
  };
}

function restarted(env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  return startService('gateway', { GATEWAY_ID: 'gateway-1', ...env });
}

/** A page in a browser, and the errors of its scripts. The page and its connection are closed when the test ends. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage();
  atEnd(() => page.close());
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.goto(url);
  return { page, faults };
}

/** The labels and roles that the pages of the examples share. */
export async function signIn(page: Page, password = PASSWORD): Promise<void> {
  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

/** Waits until the page shows this state. */
export function stateIs(page: Page, state: string): Promise<void> {
  return page.getByRole('status').filter({ hasText: state }).waitFor();
}

/** The ticket id of each hello that the page has received: one for each connection. */
export async function connectionsOf(page: Page): Promise<string[]> {
  const text = (await page.getByRole('log').textContent()) ?? '';
  const ids = [...text.matchAll(/"type":"hello","ticket_id":"([\w-]{22})","subject":"ada"/g)].map(([, id = '']) => id);
  expect(new Set(ids).size).toBe(ids.length);
  return ids;
}
