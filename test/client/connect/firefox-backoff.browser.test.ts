import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Page } from 'puppeteer-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { createStore } from '../../../shared/store/create-store.ts';
import { startFirefox } from '../../support/browsers/firefox.ts';
import { startPageServer } from '../../support/browsers/page-server.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { isMissing } from '../../support/machine/programs.ts';
import { until } from '../../support/machine/wait.ts';
import {
  type InProcess,
  runGateway,
  runTicketService,
  settingsOf,
  storeTicket,
} from '../../support/services/in-process.ts';
import { openWithTicket } from '../../support/sockets/web-socket.ts';

/** What a page reports of one attempt. Times in milliseconds. */
interface Attempt {
  /** Why it failed; null if it opened. */
  readonly code: string | null;
  readonly startedAt: number;
  readonly tookMs: number;
}

/** How often the client fails before it succeeds. */
const CLIENT_FAILURES = 20;

/**
 * How often a plain WebSocket fails. Firefox delays the first attempt after a failure by 200 to 400 ms, and each later
 * one 1.5 times as long, up to a minute. 20 failures would take several minutes.
 */
const PLAIN_FAILURES = 9;

/** How many connections a subject may have. */
const ROOM = 3;

const artefacts = join(import.meta.dirname, '..', '..', 'artefacts');

describe.skipIf(isMissing('firefox'))('Firefox, after failures in a row', () => {
  let gateway: InProcess;
  let page: Page;
  /** Statements before each attempt. */
  let prelude: string;

  beforeAll(async () => {
    const store = createStore(await settingsOf({}), pino({ level: 'silent' }));
    gateway = await runGateway({ MAX_CONNECTIONS_PER_SUBJECT: `${ROOM}` }, { store });
    const tickets = await runTicketService({ GATEWAY_URL: `ws://localhost:${gateway.port}` }, { store });
    const site = await startPageServer();
    site.serve(tickets.port);
    page = await (await startFirefox()).newPage();
    await page.goto(site.origin());
    prelude = `
      const headers = { Authorization: '${await bearer('ada')}', 'Content-Type': 'application/json' };
      const { connect } = await import('/oncegate.min.js');
      const startedAt = Date.now();
      const told = (code) => ({ code, startedAt, tookMs: Date.now() - startedAt });`;
  });

  async function run(statements: string): Promise<Attempt> {
    return (await page.evaluate(`(async () => { ${prelude} ${statements} })()`)) as Attempt; // it is what `told` makes
  }

  const withClient = (): Promise<Attempt> =>
    run('return connect({ headers }).then(() => told(null), ({ code }) => told(code));');

  /** Opens a WebSocket without the client, always on the same path. A ticket would be in the query. */
  const plain = (query: string): Promise<Attempt> =>
    run(`
      const socket = new WebSocket('ws://localhost:${gateway.port}/${query}');
      return new Promise((done) => {
        socket.onopen = () => done(told(null));
        socket.onclose = () => done(told('1006'));
      });`);

  const times = (attempts: readonly Attempt[]): number[] => attempts.map(({ tookMs }) => tookMs);

  test('delays a plain attempt for many seconds, and no attempt of the client', async () => {
    const holders = [];
    for (let count = 0; count < ROOM; count += 1) {
      holders.push(await openWithTicket(gateway.port, (await storeTicket(gateway.store)).value));
    }
    const failed: Attempt[] = [];
    while (failed.length < CLIENT_FAILURES) failed.push(await withClient());
    expect(failed.map(({ code }) => code)).toEqual(Array(CLIENT_FAILURES).fill('connection_limit'));

    for (const { socket } of holders) socket.close();
    await until(async () => (await gateway.store.list('ada')).records.length === 0, { what: 'there is room again' });
    const opened = await withClient();

    const failedPlain: Attempt[] = [];
    while (failedPlain.length < PLAIN_FAILURES) failedPlain.push(await plain(''));
    // In the same page, to the same host and port, while Firefox delays the next plain attempt.
    const openedMeanwhile = await withClient();
    const ticket = await storeTicket(gateway.store);
    const heldBack = await plain(`?ticket=${ticket.value}`);
    const line = gateway.log.find(({ event, ticket_id: id }) => event === 'open' && id === ticket.id);
    const reachedAfterMs = Number(line?.time) - heldBack.startedAt;

    const measured = {
      client: { failuresMs: times(failed), thenOpenAfterMs: opened.tookMs },
      plain: {
        failuresMs: times(failedPlain),
        thenClientOpenAfterMs: openedMeanwhile.tookMs,
        thenOpenAfterMs: heldBack.tookMs,
        thenAtTheGatewayAfterMs: reachedAfterMs,
      },
    };
    mkdirSync(artefacts, { recursive: true });
    writeFileSync(join(artefacts, 'firefox-backoff.json'), `${JSON.stringify(measured, null, 2)}\n`);
    console.log(
      [
        `${CLIENT_FAILURES} failures of the client in Firefox, then open after ${opened.tookMs} ms`,
        `${PLAIN_FAILURES} failures of plain WebSockets on one path: ${times(failedPlain).join(', ')} ms`,
        `  then the client, open after ${openedMeanwhile.tookMs} ms`,
        `  then a plain WebSocket, open after ${heldBack.tookMs} ms: it reached the gateway after ${reachedAfterMs} ms`,
      ].join('\n'),
    );

    expect([opened.code, openedMeanwhile.code, heldBack.code]).toEqual([null, null, null]);
    expect(reachedAfterMs).toBeGreaterThan(3_000);
    expect(opened.tookMs).toBeLessThan(reachedAfterMs);
    expect(openedMeanwhile.tookMs).toBeLessThan(reachedAfterMs);
  });
});
