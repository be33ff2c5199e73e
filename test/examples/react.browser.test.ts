import { constants } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { startChromium } from '../support/browsers/chromium.ts';
import { freePort } from '../support/machine/free-port.ts';
import { isMissing } from '../support/machine/programs.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { until } from '../support/machine/wait.ts';
import { type Command, startCommand } from '../support/services/command-line.ts';
import { connectionsOf, openPage, type Site, say, signIn, startSite, stateIs } from './site.ts';

const root = join(import.meta.dirname, '..', '..');

let site: Site;
let ports: Record<'preview' | 'dev', number>;

beforeAll(async () => {
  ports = { preview: await freePort(), dev: await freePort() };
  site = await startSite(originOf('preview'), originOf('dev'));
  const built = vite('build');
  expect([await built.exited, built.stderr()]).toEqual([0, '']);
});

/** Vite with the arguments of the README, from the root of a built clone. */
function vite(command: string, ...args: string[]) {
  return startCommand(process.execPath, ['node_modules/vite/bin/vite.js', command, 'examples/react', ...args], {
    cwd: root,
    env: { TICKET_SERVICE: `http://localhost:${site.ticket.port}`, NO_COLOR: '1' },
  });
}

function originOf(command: 'preview' | 'dev'): string {
  return `http://localhost:${ports[command]}`;
}

/** Serves the page: the build, or the development server. */
async function serve(command: 'preview' | 'dev'): Promise<Command> {
  const server = vite(command, '--port', String(ports[command]), '--strictPort');
  await until(() => server.stdout().includes(originOf(command)), {
    what: `vite ${command} listens`,
  });
  return server;
}

/** The exit code of Vite says which signal ended it. A killed process has no exit code. */
async function expectEnd({ child, exited, stderr }: Command): Promise<void> {
  child.kill('SIGTERM');

  expect([await exited, stderr()]).toEqual([128 + constants.signals.SIGTERM, '']);
}

/** What the page says about the state. */
async function reasonOf(page: Page): Promise<string> {
  return (await page.locator('small').textContent()) ?? '';
}

describe.skipIf(isMissing('chromium'))('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });

  describe('in development', () => {
    let server: Command;
    beforeAll(async () => {
      server = await serve('dev');
    });

    test('gets one ticket and opens one connection, although StrictMode mounts the component twice', async () => {
      const page = await browser.newPage();
      atEnd(() => page.close());
      const asked: string[] = [];
      page.on('request', (request) => {
        if (request.url() === `${originOf('dev')}/tickets`) asked.push(request.method());
      });
      await page.goto(originOf('dev'));
      await stateIs(page, 'signing in');
      expect(asked).toEqual(['POST']);
      await signIn(page);
      await stateIs(page, 'open');
      await say(page, 'only once');

      await page.getByText('← only once').waitFor();
      expect(asked).toEqual(['POST', 'POST']);
      expect(await connectionsOf(page)).toHaveLength(1);
    });

    test('ends on SIGTERM', () => expectEnd(server));
  });

  describe('as built', () => {
    let server: Command;
    beforeAll(async () => {
      server = await serve('preview');
    });

    test('signs in, opens, and shows what comes back', async () => {
      const { page, faults } = await openPage(browser, originOf('preview'));
      await stateIs(page, 'signing in');
      expect(await reasonOf(page)).toMatch(/^credentials_missing: /);
      await signIn(page);
      await stateIs(page, 'open');
      expect(await page.getByLabel('Name').count()).toBe(0);
      await say(page, 'hello, you');

      await page.getByText('← hello, you').waitFor();
      expect(await connectionsOf(page)).toHaveLength(1);
      expect(faults).toEqual([]);
    });

    test('says that a password is wrong, and accepts the right one afterwards', async () => {
      const { page } = await openPage(browser, originOf('preview'));
      await signIn(page, 'wrong');
      await stateIs(page, 'closed');
      expect(await reasonOf(page)).toMatch(/^credentials_invalid: /);

      await page.getByRole('button', { name: 'Connect' }).click();
      await signIn(page);
      await stateIs(page, 'open');
    });

    test('says why a gateway refused it, and opens once the limit allows it', async () => {
      const { page: first } = await openPage(browser, originOf('preview'));
      await signIn(first);
      await stateIs(first, 'open');
      const { page: second } = await openPage(browser, originOf('preview'));
      await signIn(second);
      await stateIs(second, 'waiting, next attempt in');
      expect(await reasonOf(second)).toMatch(/^connection_limit: /);
      expect(await connectionsOf(second)).toEqual([]);

      await first.close();
      await stateIs(second, 'open');
      expect(await reasonOf(second)).toMatch(/^before that: connection_limit: /);
    });

    // The last test that needs a gateway: the new gateway ends with it.
    test('comes back with a new ticket after the gateway was restarted', async () => {
      const { page, faults } = await openPage(browser, originOf('preview'));
      await signIn(page);
      await stateIs(page, 'open');
      await site.restartGateway(() => page.locator('small', { hasText: 'not_seen' }).waitFor());
      await stateIs(page, 'open');
      await say(page, 'there again');

      await page.getByText('← there again').waitFor();
      expect(await connectionsOf(page)).toHaveLength(2);
      expect(faults).toEqual([]);
    });

    test('ends on SIGTERM', () => expectEnd(server));
  });
});
