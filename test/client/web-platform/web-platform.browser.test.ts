import type { Page as BrowserPage } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { startChromium } from '../../support/browsers/chromium.ts';
import { startPageServer } from '../../support/browsers/page-server.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { isMissing } from '../../support/machine/programs.ts';
import { setStage } from '../stage.ts';
import { type Check, checks, type Page } from './checks.ts';
import { closings } from './closing.ts';

type Kind = 'WebSocket' | 'OncegateSocket';

interface Client {
  readonly OncegateSocket: new (options: object) => WebSocket;
}

/** Runs in the page: defines what the checks use. */
function prepare({ OncegateSocket }: Client, authorization: string) {
  const headers = { Authorization: authorization, 'Content-Type': 'application/json' };
  async function native(): Promise<WebSocket> {
    const { id, url, protocols } = await (await fetch('/tickets', { method: 'POST', headers, body: '{}' })).json();
    return new WebSocket(`${url}/~${id}/`, protocols);
  }
  const next: Page['next'] = (socket, type) =>
    new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
  const pageOf = (kind: Kind): Page & { end(): void } => {
    const made: WebSocket[] = [];
    async function make() {
      const socket = kind === 'WebSocket' ? await native() : new OncegateSocket({ headers });
      made.push(socket);
      return socket;
    }
    return {
      Class: kind === 'WebSocket' ? WebSocket : (OncegateSocket as unknown as typeof WebSocket), // the checks compare the two
      make,
      next,
      async open() {
        const socket = await make();
        await next(socket, 'message');
        return socket;
      },
      thrown(action) {
        try {
          action();
          return null;
        } catch (error) {
          return error instanceof Error || error instanceof DOMException ? error.name : 'no error';
        }
      },
      end() {
        for (const socket of made) socket.close();
      },
    };
  };
  Object.assign(globalThis, { pageOf });
}

let page: BrowserPage;

describe.skipIf(isMissing('chromium'))('in Chromium', () => {
  beforeAll(async () => {
    const site = await startPageServer();
    const { tickets } = await setStage({
      gateway: { ALLOWED_ORIGINS: site.origin() },
      tickets: { ALLOWED_ORIGINS: site.origin(), MAX_PENDING_PER_SUBJECT: '1000' },
    });
    site.serve(tickets.port);
    const browser = await startChromium();
    page = await browser.newPage();
    await page.goto(`${site.origin()}/`);
    const authorization = JSON.stringify(await bearer('ada', '1h'));
    await page.evaluate(`import('/oncegate.min.js').then((client) => (${prepare})(client, ${authorization}))`);
  });

  function run(kind: Kind, check: Check): Promise<unknown> {
    return page.evaluate(`(async () => {
      const page = pageOf('${kind}');
      try {
        return await (${check.run})(page);
      } finally {
        page.end();
      }
    })()`);
  }

  for (const [name, check] of Object.entries({ ...checks, ...closings })) {
    test(`OncegateSocket: ${name}`, async () => {
      expect(await run('OncegateSocket', check)).toEqual(check.expected);
    });

    test(`WebSocket: ${name}${check.deviation ? `, but ${check.deviation}` : ''}`, async () => {
      const native = await run('WebSocket', check).catch((error: unknown) => error);
      if (check.deviation) expect(native).not.toEqual(check.expected);
      else expect(native).toEqual(check.expected);
    });
  }
});
