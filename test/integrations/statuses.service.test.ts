import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpRequest } from '../support/http/http-request.ts';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { openWebSocket, Refused } from '../support/sockets/web-socket.ts';
import { NO_SUCH_ROOM } from './back-end.ts';
import { type Mode, modes, modesHere } from './modes.ts';
import { type Site, startSite } from './site.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'integrations', 'README.md');
const BEGIN = '<!-- written by test/integrations/statuses.service.test.ts -->\n';
const END = '<!-- end -->\n';

let site: Site;

beforeAll(async () => {
  site = await startSite({ MAX_CONNECTIONS_PER_SUBJECT: '1' });
});

interface Situation {
  readonly name: string;
  /** Brings the situation about, once for all proxies. */
  readonly before?: () => Promise<unknown>;
  readonly after?: () => Promise<unknown>;
  /** Connects or asks. Resolves with what the client sees. */
  readonly see: (mode: Mode) => Promise<string>;
  /** Only with forward-auth: the time-out of the proxy decides, and that is longer than the heartbeat. */
  readonly forwardAuthOnly?: true;
}

/** 101, or the status, with the code of the problem document if there is one. */
async function connect(mode: Mode, target: string, options: { protocols?: readonly string[]; origin?: string } = {}) {
  try {
    const { socket } = await openWebSocket(`ws://127.0.0.1:${site.proxyOf(mode).port}${target}`, options);
    socket.terminate();
    return '101';
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return typeof error.code === 'string' ? `${error.status} \`${error.code}\`` : String(error.status);
  }
}

async function connectWithTicket(mode: Mode, path = '/', subject?: string): Promise<string> {
  const { protocols } = await site.issue({}, subject);
  return connect(mode, path, { protocols });
}

/** A ticket that was issued before Redis was stopped. */
const kept = new Map<string, readonly string[]>();

const situations: readonly Situation[] = [
  { name: 'a good ticket', see: (mode) => connectWithTicket(mode) },
  { name: 'no ticket', see: (mode) => connect(mode, '/') },
  {
    name: 'a ticket that was spent',
    async see(mode) {
      const { protocols } = await site.issue();
      await connect(mode, '/', { protocols });
      return connect(mode, '/', { protocols });
    },
  },
  {
    name: 'a ticket for another path',
    async see(mode) {
      const { protocols } = await site.issue({ path: '/room/7' });
      return connect(mode, '/room/8', { protocols });
    },
  },
  {
    name: 'a page of another origin',
    async see(mode) {
      const { protocols } = await site.issue();
      return connect(mode, '/', { protocols, origin: 'https://evil.example' });
    },
  },
  {
    name: 'the subject has as many connections as it may',
    async before() {
      const { ticket } = await site.issue({}, 'busy');
      await openWebSocket(`ws://127.0.0.1:${site.gateway.port}/?ticket=${ticket}`);
    },
    see: (mode) => connectWithTicket(mode, '/', 'busy'),
  },
  {
    name: 'a request that is no upgrade',
    async see(mode) {
      const { ticket } = await site.issue();
      const { status, body } = await httpRequest(site.proxyOf(mode).port, `/?ticket=${ticket}`);
      return `${status} \`${body.code}\``;
    },
  },
  { name: 'the back end answers 404', see: (mode) => connectWithTicket(mode, NO_SUCH_ROOM) },
  {
    name: 'the back end is down',
    before: () => site.backEnd.stop(),
    after: () => site.backEnd.start(),
    see: (mode) => connectWithTicket(mode),
  },
  {
    name: 'Redis is down',
    async before() {
      for (const { name } of modesHere) kept.set(name, (await site.issue()).protocols);
      await site.redis.kill();
    },
    async after() {
      await site.redis.restart();
      await until(async () => (await httpRequest(site.gateway.adminPort, '/readyz')).status === 200);
      await until(() => site.issue(), { what: 'the ticket service reaches Redis again' });
    },
    see: (mode) => connect(mode, '/', { protocols: kept.get(mode.name) ?? [] }),
  },
  {
    name: 'the gateway hangs',
    async before() {
      for (const { name } of modesHere) kept.set(name, (await site.issue()).protocols);
      site.gateway.signal('SIGSTOP');
    },
    after: async () => site.gateway.signal('SIGCONT'),
    see: (mode) => connect(mode, '/', { protocols: kept.get(mode.name) ?? [] }),
    forwardAuthOnly: true,
  },
  {
    name: 'the gateway is down',
    async before() {
      for (const { name } of modesHere) kept.set(name, (await site.issue()).protocols);
      await site.gateway.stop();
    },
    see: (mode) => connect(mode, '/', { protocols: kept.get(mode.name) ?? [] }),
  },
];

/** What was seen, by situation and mode. */
const seen = new Map<Situation, Map<string, string>>();

describe.each(situations)('with $name', (situation) => {
  const { before, after, see, forwardAuthOnly } = situation;
  const those = modesHere.filter(({ forwardAuth }) => forwardAuth || !forwardAuthOnly);

  beforeAll(async () => void (await before?.()));
  afterAll(async () => void (await after?.()));

  test.each(those)('every client of $name gets an answer', async (mode) => {
    const answer = await see(mode);

    expect(answer).toMatch(/^\d{3}(?: `\w+`)?$/);
    const row = seen.get(situation) ?? new Map<string, string>();
    seen.set(situation, row.set(mode.name, answer));
  });
});

/** The table of the page. */
function table(): string {
  const rows = situations.map((situation) => {
    const cells = modes.map(({ name }) => seen.get(situation)?.get(name) ?? '–');
    return `| ${[situation.name, ...cells].join(' | ')} |`;
  });
  return [
    `| | ${modes.map(({ name }) => name).join(' | ')} |`,
    `|${' --- |'.repeat(modes.length + 1)}`,
    ...rows,
    '',
  ].join('\n');
}

const incomplete = isMissing('redis') || modesHere.length < modes.length;

test.skipIf(incomplete)(
  'the table in docs/integrations/README.md is what was seen (ONCEGATE_WRITE_DOCS=1 writes it)',
  () => {
    const page = readFileSync(PAGE, 'utf8');
    const begin = page.indexOf(BEGIN) + BEGIN.length;
    const end = page.indexOf(END);
    expect(begin).toBeGreaterThan(BEGIN.length);
    if (process.env.ONCEGATE_WRITE_DOCS === '1') {
      writeFileSync(PAGE, `${page.slice(0, begin)}\n${table()}\n${page.slice(end)}`);
      return;
    }
    expect(page.slice(begin, end).trim()).toBe(table().trim());
  },
);

test('forward-auth and relay give a client the same answers about its ticket', () => {
  for (const situation of situations.slice(0, 7)) expect(new Set(seen.get(situation)?.values()).size).toBe(1);
});
