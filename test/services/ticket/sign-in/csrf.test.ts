import { describe, expect, test } from 'vitest';
import { mintApiKey } from '../../../../shared/logins/api-keys.ts';
import { startLoopback } from '../../../support/browsers/loopback.ts';
import { type HttpReply, httpRequest } from '../../../support/http/http-request.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { basic, quickHash } from '../../../support/logins/passwords.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { type InProcess, runTicketService, storeTicket } from '../../../support/services/in-process.ts';

const HOST = 'tickets.example';
const OWN = 'https://tickets.example';
const LISTED = 'https://app.example';
const EVIL = 'https://evil.example';
const COOKIE = 'session=of-ada';
const JSON_TYPE = { 'Content-Type': 'application/json' };

/** What the detail of a refusal must mention. */
const ABOUT = {
  type: 'With a cookie the request needs Content-Type: application/json or an X-Requested-With header.',
  origin: 'With a cookie the Origin must be that of this host, or one of ALLOWED_ORIGINS.',
  site: 'With a cookie Sec-Fetch-Site must be same-origin, unless the Origin is in ALLOWED_ORIGINS.',
} as const;

/** A service whose callers sign in with a cookie of the application. */
async function run(env: Readonly<Record<string, string>> = {}): Promise<InProcess> {
  const application = await startLoopback(({ headers }, response) => {
    response.writeHead(headers.cookie === COOKIE ? 200 : 401, { 'Content-Type': 'application/json' });
    response.end('{"sub":"ada"}');
  });
  return runTicketService({ AUTH_FORWARD_URL: `${application.url}/me`, ALLOWED_ORIGINS: LISTED, ...env });
}

type Headers = Readonly<Record<string, string | string[]>>;

const post = ({ port }: InProcess, headers: Headers, body?: string): Promise<HttpReply> =>
  httpRequest(port, '/tickets', {
    method: 'POST',
    headers: { Host: HOST, Cookie: COOKIE, ...headers },
    ...(body !== undefined && { body }),
  });

async function expectVerdict(service: InProcess, answer: HttpReply, verdict: keyof typeof ABOUT | 'allowed') {
  const { status, body } = answer;
  if (verdict === 'allowed') {
    expect([status, body.code]).toEqual([201, undefined]);
  } else {
    expect({ status, ...body }).toMatchObject({ status: 403, code: 'csrf_refused', detail: ABOUT[verdict] });
    expect(await service.metric('oncegate_tickets_issued_total')).toBe(0);
    expect(service.log.findLast(({ event }) => event === 'refusal')).toMatchObject({
      event: 'refusal',
      code: 'csrf_refused',
      subject: 'ada',
    });
  }
}

type Row = readonly [headers: Headers, verdict: keyof typeof ABOUT | 'allowed'];

const types: readonly Row[] = [
  [{}, 'type'],
  [{ 'Content-Type': 'application/json' }, 'allowed'],
  [{ 'Content-Type': 'application/json;charset=utf-8' }, 'allowed'],
  [{ 'Content-Type': 'application/json ; charset=utf-8' }, 'allowed'],
  [{ 'Content-Type': 'Application/JSON' }, 'allowed'],
  [{ 'Content-Type': 'application/merge-patch+json' }, 'allowed'],
  // The three types that a form can send, and types that only look like JSON.
  [{ 'Content-Type': 'application/x-www-form-urlencoded' }, 'type'],
  [{ 'Content-Type': 'multipart/form-data; boundary=x' }, 'type'],
  [{ 'Content-Type': 'text/plain' }, 'type'],
  [{ 'Content-Type': 'text/plain; application/json' }, 'type'],
  [{ 'Content-Type': 'text/plain;charset=application/json' }, 'type'],
  [{ 'Content-Type': 'text/plain, application/json' }, 'type'],
  [{ 'Content-Type': 'text/json' }, 'type'],
  [{ 'Content-Type': 'application/jsonp' }, 'type'],
  [{ 'Content-Type': 'application/json-seq' }, 'type'],
  [{ 'Content-Type': 'application/+json' }, 'type'],
  [{ 'Content-Type': '' }, 'type'],
  [{ 'X-Requested-With': 'XMLHttpRequest' }, 'allowed'],
  [{ 'X-Requested-With': '' }, 'allowed'],
  [{ 'X-Oncegate': '1' }, 'allowed'],
  [{ 'X-Other': '1' }, 'type'],
  [{ 'Content-Type': 'text/plain', 'X-Requested-With': 'fetch' }, 'allowed'],
  // No other header replaces them.
  [{ Origin: OWN, 'Sec-Fetch-Site': 'same-origin' }, 'type'],
  [{ Origin: LISTED, 'Sec-Fetch-Site': 'cross-site' }, 'type'],
];

const origins: readonly Row[] = [
  [{ Origin: OWN }, 'allowed'],
  [{ Origin: 'http://tickets.example' }, 'allowed'],
  [{ Origin: LISTED }, 'allowed'],
  [{ Origin: EVIL }, 'origin'],
  [{ Origin: 'null' }, 'origin'],
  [{ Origin: '' }, 'origin'],
  [{ Origin: 'https://a.tickets.example' }, 'origin'],
  [{ Origin: 'https://tickets.example.evil.example' }, 'origin'],
  [{ Origin: 'https://tickets.example:8443' }, 'origin'],
  [{ Origin: 'https://tickets.example@evil.example' }, 'origin'],
  [{ Origin: 'https://tickets.example/' }, 'origin'],
  [{ Origin: 'tickets.example' }, 'origin'],
  [{ Origin: [OWN, EVIL] }, 'origin'],
  [{ Origin: [LISTED, EVIL] }, 'origin'],
  [{ Origin: 'https://app.example.evil.example' }, 'origin'],
  [{ Origin: 'http://app.example' }, 'origin'],
];

const sites: readonly Row[] = [
  [{ 'Sec-Fetch-Site': 'same-origin' }, 'allowed'],
  [{ 'Sec-Fetch-Site': 'none' }, 'allowed'],
  [{ 'Sec-Fetch-Site': 'same-site' }, 'site'],
  [{ 'Sec-Fetch-Site': 'cross-site' }, 'site'],
  [{ 'Sec-Fetch-Site': 'a value of the future' }, 'site'],
  [{ 'Sec-Fetch-Site': '' }, 'site'],
  [{ 'Sec-Fetch-Site': ['same-origin', 'cross-site'] }, 'site'],
  [{ Origin: OWN, 'Sec-Fetch-Site': 'same-origin' }, 'allowed'],
  // http and https of one host are different origins; Sec-Fetch-Site tells.
  [{ Origin: 'http://tickets.example', 'Sec-Fetch-Site': 'cross-site' }, 'site'],
  [{ Origin: OWN, 'Sec-Fetch-Site': 'same-site' }, 'site'],
  [{ Origin: LISTED, 'Sec-Fetch-Site': 'cross-site' }, 'allowed'],
  [{ Origin: LISTED, 'Sec-Fetch-Site': 'same-site' }, 'allowed'],
  [{ Origin: EVIL, 'Sec-Fetch-Site': 'cross-site' }, 'origin'],
  [{ Origin: EVIL, 'Sec-Fetch-Site': 'same-origin' }, 'origin'],
];

const hosts: readonly Row[] = [
  [{ Host: 'TICKETS.example', Origin: OWN }, 'allowed'],
  [{ Host: 'tickets.example:443', Origin: OWN }, 'allowed'],
  [{ Host: 'tickets.example:80', Origin: 'http://tickets.example' }, 'allowed'],
  [{ Host: 'tickets.example:80', Origin: OWN }, 'origin'],
  [{ Host: 'tickets.example:443', Origin: 'http://tickets.example' }, 'origin'],
  [{ Host: 'tickets.example:8443', Origin: 'https://tickets.example:8443' }, 'allowed'],
  [{ Host: 'tickets.example:8443', Origin: OWN }, 'origin'],
  [{ Host: 'tickets.example:8443', Origin: 'https://tickets.example:9443' }, 'origin'],
  [{ Host: '[::1]:8080', Origin: 'http://[::1]:8080' }, 'allowed'],
  [{ Host: '[::1]', Origin: 'http://[::1]' }, 'allowed'],
  [{ Host: '[::1]:8080', Origin: 'http://[::1]' }, 'origin'],
  [{ Host: '', Origin: OWN }, 'origin'],
];

test.each([
  ['another host', { Host: 'localhost:8080' }, 'localhost:8080', OWN],
  ['no origin that is known', { Origin: EVIL }, HOST, EVIL],
  ['a long origin', { Origin: `https://${'x'.repeat(400)}` }, HOST, `https://${'x'.repeat(292)}`],
])('the log names both hosts of a refused request: %s', async (_, headers, host, origin) => {
  const service = await run();
  await post(service, { ...JSON_TYPE, Origin: OWN, ...headers });

  const { reason } = service.log.findLast(({ event }) => event === 'refusal') ?? {};
  expect(reason).toMatch(`Origin ${origin}, Host ${host}: `);
});

describe.each([
  ['the content type and custom headers', types],
  ['the Origin', origins.map(([headers, verdict]): Row => [{ ...JSON_TYPE, ...headers }, verdict])],
  ['Sec-Fetch-Site', sites.map(([headers, verdict]): Row => [{ ...JSON_TYPE, ...headers }, verdict])],
  ['the Host', hosts.map(([headers, verdict]): Row => [{ ...JSON_TYPE, ...headers }, verdict])],
] as const)('with a cookie, %s', (_name, rows) => {
  test.each(rows)('%j: %s', async (headers, verdict) => {
    const service = await run();
    await expectVerdict(service, await post(service, headers), verdict);
  });
});

describe('behind a proxy', () => {
  const forwarded = (value: string | string[], origin: string): Headers => ({
    ...JSON_TYPE,
    Host: 'internal:8080',
    Origin: origin,
    'X-Forwarded-Host': value,
  });

  test.each<Row>([
    [forwarded('tickets.example', OWN), 'allowed'],
    [forwarded('tickets.example:443', OWN), 'allowed'],
    [forwarded('tickets.example:8443', 'https://tickets.example:8443'), 'allowed'],
    [forwarded('tickets.example, internal:8080', OWN), 'allowed'],
    [forwarded('tickets.example', 'http://internal:8080'), 'origin'],
    [forwarded('tickets.example', EVIL), 'origin'],
    [forwarded('', OWN), 'origin'],
  ])('that is trusted, what it says is the host: %j: %s', async (headers, verdict) => {
    const service = await run({ TRUST_PROXY: '127.0.0.1' });
    await expectVerdict(service, await post(service, headers), verdict);
  });

  test.each<Row>([
    [forwarded('tickets.example', OWN), 'origin'],
    [forwarded('evil.example', EVIL), 'origin'],
    [forwarded('tickets.example', 'http://internal:8080'), 'allowed'],
  ])('that is not, the header says nothing: %j: %s', async (headers, verdict) => {
    const service = await run({ TRUST_PROXY: '192.0.2.0/24' });
    await expectVerdict(service, await post(service, headers), verdict);
  });
});

describe('ALLOWED_ORIGINS', () => {
  test.each(['*', `*,https://else.example`])('does not allow any page with a cookie by its * (%s)', async (list) => {
    const service = await run({ ALLOWED_ORIGINS: list });

    await expectVerdict(service, await post(service, { ...JSON_TYPE, Origin: EVIL }), 'origin');
  });
});

describe('the methods', () => {
  const cross = { Host: HOST, Cookie: COOKIE, Origin: EVIL, 'Sec-Fetch-Site': 'cross-site' };

  test.each(['GET', 'HEAD'])('%s is allowed, because it changes nothing', async (method) => {
    const service = await run();
    const { id } = await storeTicket(service.store);

    for (const path of ['/tickets', `/tickets/${id}`]) {
      expect((await httpRequest(service.port, path, { method, headers: cross })).status).toBe(200);
    }
    expect(await service.store.read(id)).toMatchObject({ state: 'issued' });
  });

  test('DELETE is checked', async () => {
    const service = await run();
    const { id } = await storeTicket(service.store);
    const remove = (headers: Headers) => httpRequest(service.port, `/tickets/${id}`, { method: 'DELETE', headers });

    await expectVerdict(service, await remove(cross), 'type');
    await expectVerdict(service, await remove({ ...cross, ...JSON_TYPE }), 'origin');
    expect(await service.store.read(id)).toMatchObject({ state: 'issued' });
    expect((await remove({ Host: HOST, Cookie: COOKIE, Origin: OWN, 'X-Requested-With': 'x' })).status).toBe(204);
    expect(await service.store.read(id)).toMatchObject({ state: 'revoked' });
  });

  test('a renewal is checked', async () => {
    const service = await run();
    const { id } = await storeTicket(service.store);
    const renew = (headers: Headers) =>
      httpRequest(service.port, `/tickets/${id}/renew`, { method: 'POST', headers, body: '{}' });

    await expectVerdict(service, await renew(cross), 'type');
    await expectVerdict(service, await renew({ ...cross, ...JSON_TYPE }), 'origin');
    expect((await renew({ Host: HOST, Cookie: COOKIE, Origin: OWN, ...JSON_TYPE })).body.code).toBe('not_found');
  });

  test('a request without a valid cookie gets a 401 first', async () => {
    const service = await run();
    const { status, body } = await post(service, { ...cross, Cookie: 'session=of-nobody' });

    expect([status, body.code]).toEqual([401, 'credentials_invalid']);
  });
});

const token = await bearer('ada');

describe('credentials that no browser adds by itself', () => {
  const minted = mintApiKey('billing', {}, new Date());
  const cross = { Origin: EVIL, 'Sec-Fetch-Site': 'cross-site', 'Content-Type': 'text/plain' };

  test.each([
    ['a JWT', token],
    ['a password', basic('ada', 'right')],
    ['an API key', `Bearer ${minted.value}`],
  ])('need none of it: %s', async (_name, authorization) => {
    const service = await run({
      AUTH_USERS_FILE: temporaryFile(`ada:${quickHash('right')}\n`),
      AUTH_API_KEYS_FILE: temporaryFile(JSON.stringify({ keys: [minted.key] })),
    });

    // A cookie in the same request does not matter: the Authorization header decides.
    for (const cookie of [{}, { Cookie: COOKIE }]) {
      const headers = { Host: HOST, Authorization: authorization, ...cross, ...cookie };
      expect((await httpRequest(service.port, '/tickets', { method: 'POST', headers })).status).toBe(201);
    }
  });
});

test('a pattern of ALLOWED_ORIGINS lists what it stands for, and nothing else', async () => {
  const service = await run({ ALLOWED_ORIGINS: 'https://*.tenants.example' });
  const from = (Origin: string) => post(service, { ...JSON_TYPE, Origin, 'Sec-Fetch-Site': 'cross-site' });

  await expectVerdict(service, await from('https://a.b.tenants.example'), 'origin');
  await expectVerdict(service, await from('https://tenants.example'), 'origin');
  await expectVerdict(service, await from('https://a.tenants.example'), 'allowed');
});
