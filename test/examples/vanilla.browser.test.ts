import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { startChromium } from '../support/browsers/chromium.ts';
import { freePort } from '../support/machine/free-port.ts';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { type Command, startCommand } from '../support/services/command-line.ts';
import { connectionsOf, openPage, type Site, say, signIn, startSite, stateIs } from './site.ts';

const root = join(import.meta.dirname, '..', '..');

let site: Site;
let example: Command;
let url: string;

beforeAll(async () => {
  const port = await freePort();
  url = `http://localhost:${port}`;
  site = await startSite(url);
  // As the README says, from the root of a built clone.
  example = startCommand(process.execPath, ['examples/vanilla/server.mjs'], {
    cwd: root,
    env: { PORT: String(port), TICKETS_URL: `http://localhost:${site.ticket.port}/tickets` },
  });
  await until(() => example.stdout() === `${url}\n`);
});

/** What the page has listed: each state in order, and what it said about it. */
function notesOf(page: Page): Promise<Array<{ what: string | undefined; text: string }>> {
  return page.locator('#log li').evaluateAll((lines) =>
    lines.map((line) => ({
      what: line.firstChild?.textContent ?? undefined,
      text: line.lastChild?.textContent ?? '',
    })),
  );
}

describe.skipIf(isMissing('chromium'))('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });

  test('signs in, opens, and shows what comes back', async () => {
    const { page, faults } = await openPage(browser, url);
    await stateIs(page, 'signing in');
    await signIn(page);
    await stateIs(page, 'open');
    expect(await page.getByLabel('Name').isVisible()).toBe(false);
    await say(page, 'hello, you');

    await page.locator('[data-what=received]', { hasText: 'hello, you' }).waitFor();
    const notes = await notesOf(page);
    expect(notes.map(({ what }) => what)).toEqual([
      ...['issuing', 'signing_in', 'issuing', 'connecting', 'open'],
      ...['received', 'sent', 'received'],
    ]);
    expect(notes[1]?.text).toMatch(/^credentials_missing: /);
    expect(await connectionsOf(page)).toHaveLength(1);

    await page.getByRole('button', { name: 'Disconnect' }).click();
    await stateIs(page, 'closed');
    await page.getByRole('button', { name: 'Connect' }).click();
    await stateIs(page, 'open');
    expect(await connectionsOf(page)).toHaveLength(2);
    expect(faults).toEqual([]);
  });

  test('says that a password is wrong, and accepts the right one afterwards', async () => {
    const { page } = await openPage(browser, url);
    await signIn(page, 'wrong');
    await stateIs(page, 'closed');
    expect((await notesOf(page)).at(-1)).toEqual({
      what: 'closed',
      text: expect.stringMatching(/^credentials_invalid: /),
    });

    await page.getByRole('button', { name: 'Connect' }).click();
    await signIn(page);
    await stateIs(page, 'open');
  });

  test('says why a gateway refused it, and opens once the limit allows it', async () => {
    const { page: first } = await openPage(browser, url);
    await signIn(first);
    await stateIs(first, 'open');
    const { page: second } = await openPage(browser, url);
    await signIn(second);
    await stateIs(second, 'waiting');
    expect((await notesOf(second)).at(-1)).toEqual({
      what: 'waiting',
      text: expect.stringMatching(/^connection_limit: .*; next attempt in \d+\.\d s$/),
    });
    expect(await connectionsOf(second)).toEqual([]);

    await first.close();
    await stateIs(second, 'open');
  });

  test('cannot read an answer of the ticket service if its origin is not allowed', async () => {
    const { page } = await openPage(browser, url.replace('localhost', '127.0.0.1'));
    await page.locator('[data-what=waiting]', { hasText: 'service_unreachable' }).first().waitFor();
  });

  // The last test that needs a gateway: the new gateway ends with it.
  test('comes back with a new ticket after the gateway was restarted', async () => {
    const { page, faults } = await openPage(browser, url);
    await signIn(page);
    await stateIs(page, 'open');
    await site.restartGateway(() => page.locator('[data-what=waiting]', { hasText: 'not_seen' }).first().waitFor());
    await stateIs(page, 'open');
    await say(page, 'there again');

    await page.locator('[data-what=received]', { hasText: 'there again' }).waitFor();
    expect((await notesOf(page)).find(({ what }) => what === 'waiting')?.text).toMatch(
      /^The connection ended: 1012 draining;spread_seconds=0; next attempt in/,
    );
    expect(await connectionsOf(page)).toHaveLength(2);
    expect(faults).toEqual([]);
  });
});

// The last test: it ends the example.
test('ends on SIGTERM', async () => {
  example.child.kill('SIGTERM');

  expect(await example.exited).toBe(0);
  expect(example.stderr()).toBe('');
});
