import { describe, expect, test } from 'vitest';
import { bearer } from '../../../support/logins/bearer.ts';
import { type InProcess, runTicketService } from '../../../support/services/in-process.ts';
import { type Answer, type Ask, ask } from '../../../support/services/ticket-client.ts';

const issue = (service: InProcess, body?: unknown, options: Ask = {}): Promise<Answer> =>
  ask(service, '/tickets', { method: 'POST', ...(body !== undefined && { body }), ...options });

const pointersOf = ({ body }: Answer): unknown =>
  Array.isArray(body.errors) ? body.errors.map((error: { pointer?: unknown }) => error.pointer).sort() : body;

const errorsOf = (...pointers: string[]): unknown => [...pointers].sort();

/** The record that the answer is about. */
async function recordOf(service: InProcess, { body }: Answer) {
  return service.store.read(String(body.id));
}

describe('POST /tickets', () => {
  test('issues a ticket for an empty body', async () => {
    const service = await runTicketService({ GATEWAY_URL: 'wss://chat.example.org/ws/' });
    const before = Date.now();
    const answer = await issue(service);
    const { id, ticket, expires_at: expiresAt } = answer.body;

    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`/tickets/${id}`);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(ticket).toMatch(new RegExp(`^ogt_${id}\\.[A-Za-z0-9_-]{32}$`));
    expect(answer.body).toEqual({
      id,
      ticket,
      expires_in: 30,
      expires_at: expiresAt,
      url: 'wss://chat.example.org/ws',
      connect_url: `wss://chat.example.org/ws/?ticket=${ticket}`,
      protocols: ['oncegate.v1', `oncegate.ticket.${ticket}`],
    });
    expect(expiresAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Date.parse(String(expiresAt))).toBeGreaterThanOrEqual(before + 30_000);
    expect(Date.parse(String(expiresAt))).toBeLessThanOrEqual(Date.now() + 30_000);
    expect(await recordOf(service, answer)).toMatchObject({
      subject: 'ada',
      state: 'issued',
      address: '127.0.0.1',
      attempts: 0,
    });
    expect(await service.metric('oncegate_tickets_issued_total')).toBe(1);
    expect(service.log.filter(({ event }) => event === 'issue')).toEqual([
      expect.objectContaining({ level: 'info', ticket_id: id, subject: 'ada' }),
    ]);
    expect(JSON.stringify(service.log)).not.toContain(String(ticket).slice(27));
  });

  test('announces a gateway on this machine by default', async () => {
    const service = await runTicketService({ GATEWAY_PORT: '8081' });

    expect((await issue(service)).body).toMatchObject({
      url: 'ws://localhost:8081',
      connect_url: expect.stringMatching(/^ws:\/\/localhost:8081\/\?ticket=ogt_/),
    });
  });

  test('grants every field', async () => {
    const service = await runTicketService();
    const answer = await issue(
      service,
      { audience: 'chat', path: '/room/7', claims: { role: 'mod', list: [1, null] }, ttl_seconds: 10, subject: 'ada' },
      { headers: { Origin: 'https://app.example' } },
    );

    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ expires_in: 10, connect_url: expect.stringMatching(/\/room\/7\?ticket=ogt_/) });
    expect(await recordOf(service, answer)).toMatchObject({
      audience: 'chat',
      path: '/room/7',
      clientClaims: '{"role":"mod","list":[1,null]}',
      origin: 'https://app.example',
    });
  });

  test('shortens the time to live, and never lengthens it', async () => {
    const service = await runTicketService({ TICKET_TTL_SECONDS: '20' });

    expect((await issue(service)).body.expires_in).toBe(20);
    expect((await issue(service, { ttl_seconds: 1 })).body.expires_in).toBe(1);
    expect((await issue(service, { ttl_seconds: 20 })).body.expires_in).toBe(20);
    expect(pointersOf(await issue(service, { ttl_seconds: 21 }))).toEqual(errorsOf('#/ttl_seconds'));
  });

  test('lets the ticket expire with the credentials that asked for it', async () => {
    const service = await runTicketService();
    const answer = await issue(service, undefined, { credentials: await bearer('ada', '20s') });

    expect(answer.status).toBe(201);
    expect(answer.body.expires_in).toBeLessThanOrEqual(20);
    expect(answer.body.expires_in).toBeGreaterThanOrEqual(5);
  });

  test('answers no connect_url if the query is no carrier', async () => {
    const service = await runTicketService({ TICKET_CARRIERS: 'subprotocol,authorization' });

    expect((await issue(service)).body.connect_url).toBeNull();
  });

  test('names every field that is out of bounds, at once', async () => {
    const service = await runTicketService();
    const answer = await issue(service, { audience: 'a b', path: 'room', claims: [], ttl_seconds: 31, subject: '' });

    expect(answer.status).toBe(422);
    expect(pointersOf(answer)).toEqual(errorsOf('#/audience', '#/path', '#/claims', '#/ttl_seconds', '#/subject'));
    expect(answer.body).toMatchObject({ code: 'request_invalid', retry: 'never' });
    expect(await service.metric('oncegate_tickets_issued_total')).toBe(0);
  });

  const nested = (levels: number): unknown => (levels === 1 ? {} : { a: nested(levels - 1) });
  /** Claims of a given number of bytes as JSON. */
  const sized = (bytes: number): object => ({ a: 'x'.repeat(bytes - 8) });

  test.each<readonly [string, unknown]>([
    ['audience', 'a'.repeat(65)],
    ['audience', ''],
    ['audience', 'chat/room'],
    ['audience', 7],
    ['audience', null],
    ['path', ''],
    ['path', 'room'],
    ['path', '//evil.example'],
    ['path', '/a b'],
    ['path', '/a?b'],
    ['path', '/a#b'],
    ['path', '/a\\b'],
    ['path', '/a/../b'],
    ['path', '/%61dmin'],
    ['path', '/x/..;/admin'],
    ['path', '/a%252fb'],
    ['path', '/ä'],
    ['path', `/${'a'.repeat(1_024)}`],
    ['path', ['/a']],
    ['claims', []],
    ['claims', null],
    ['claims', 'text'],
    ['claims', 5],
    ['claims', sized(4_097)],
    ['claims', { ä: 'ä'.repeat(2_045) }],
    ['claims', nested(33)],
    ['claims', { constructor: 1 }],
    ['claims', { a: [{ prototype: 1 }] }],
    ['ttl_seconds', 0],
    ['ttl_seconds', -1],
    ['ttl_seconds', 1.5],
    ['ttl_seconds', '10'],
    ['ttl_seconds', null],
    ['subject', ''],
    ['subject', 'a'.repeat(257)],
    ['subject', 'a\u0000b'],
    ['subject', 'a\u0085b'],
    ['subject', '\ud800'],
    ['subject', {}],
  ])('refuses the %s %j', async (field, value) => {
    const service = await runTicketService();
    const answer = await issue(service, { [field]: value });

    expect(answer.status).toBe(422);
    expect(pointersOf(answer)).toEqual(errorsOf(`#/${field}`));
  });

  test.each<readonly [string, unknown]>([
    ['audience', `${'aZ9._-'.repeat(10)}abcd`],
    ['path', '/'],
    ['path', `/${'a'.repeat(1_023)}`],
    ['path', '/a%20b/%C3%A4/b;c=d'],
    ['claims', {}],
    ['claims', sized(4_096)],
    ['claims', nested(32)],
    ['claims', { toString: 1, 'a b': '\u0000' }],
    ['ttl_seconds', 1],
    ['ttl_seconds', 30],
    ['subject', 'ada'],
  ])('takes the %s %j', async (field, value) => {
    const service = await runTicketService();
    const answer = await issue(service, { [field]: value });

    expect(answer.status).toBe(201);
    if (field === 'claims') expect((await recordOf(service, answer))?.clientClaims).toBe(JSON.stringify(value));
  });

  test('takes a subject of 256 characters of any kind', async () => {
    const service = await runTicketService();
    const subject = '🎟'.repeat(256);
    const answer = await issue(service, { subject }, { credentials: await bearer(subject) });

    expect(answer.status).toBe(201);
    expect(await recordOf(service, answer)).toMatchObject({ subject });
  });

  test.each([
    '{"__proto__":{"admin":true}}',
    '{"claims":{"__proto__":{"admin":true}}}',
    '{"claims":{"a":[{"__proto__":1}]}}',
  ])('refuses %s', async (body) => {
    const service = await runTicketService();

    expect((await issue(service, body)).status).toBe(422);
  });

  test.each<readonly [field: string, pointer: string, detail: RegExp]>([
    ['ttl_second', '#/ttl_second', /^is not known; did you mean ttl_seconds\? /],
    ['Audience', '#/Audience', /did you mean audience\?/],
    ['claim', '#/claim', /did you mean claims\?/],
    ['room', '#/room', /^is not known; the fields are audience, path, claims, ttl_seconds, subject$/],
    ['a/b~c', '#/a~1b~0c', /the fields are/],
    ['a b\u0000\n"<é', '#/a%20b%00%0A%22%3C%C3%A9', /the fields are/],
    ['\ud800', '#/%EF%BF%BD', /the fields are/],
    ['x'.repeat(65), '#', /^is not known; the fields are/],
  ])('names the unknown field %j in its pointer', async (field, pointer, detail) => {
    const service = await runTicketService();
    const { status, body } = await issue(service, { [field]: 7, audience: 'chat' });

    expect(status).toBe(422);
    expect(body.errors).toEqual([{ pointer, detail: expect.stringMatching(detail) }]);
    expect(JSON.stringify([body.title, body.detail])).not.toContain(field);
  });

  test('names several unknown fields, but no more than sixteen', async () => {
    const service = await runTicketService();
    const names = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, 0]));

    expect(pointersOf(await issue(service, names(2)))).toEqual(['#/f0', '#/f1']);
    expect((await issue(service, names(1_000))).body.errors).toHaveLength(16);
  });

  test.each<readonly [body: string, ...pointers: string[]]>([
    ['{"claims":{"order":653247040368672769}}', '#/claims'],
    ['{"claims":{"a":[{"b":-9007199254740993}]}}', '#/claims'],
    ['{"claims":{"n":9007199254740992}}', '#/claims'],
    ['{"claims":{"n":1e400}}', '#/claims'],
    ['{"claims":{"n":-1E+999}}', '#/claims'],
    ['{"claims":{"n":1e-400}}', '#/claims'],
    ['{"claims":{"n":1e300}}', '#/claims'],
    ['{"claims":{"n":0.1234567890123456789}}', '#/claims'],
    ['{"claims":{"n":1.00000000000000000001}}', '#/claims'],
    ['{"ttl_seconds":10.00000000000000000001}', '#/ttl_seconds'],
    ['{"other":653247040368672769,"claims":{"n":1e999}}', '#/claims', '#/other'],
  ])('refuses a number that JSON.parse would change: %s', async (body, ...pointers) => {
    const service = await runTicketService();
    const answer = await issue(service, body);

    expect(answer.status).toBe(422);
    expect(pointersOf(answer)).toEqual(pointers);
  });

  test.each([
    '{"n":9007199254740991}',
    '{"n":-9007199254740991}',
    '{"n":0.1}',
    '{"n":1.10}',
    '{"n":100e-2}',
    '{"n":3.141592653589793}',
    '{"n":5e-324}',
    '{"n":0e99999}',
    '{"n":-0.0}',
    '{"653247040368672769":"653247040368672769, 1e400 \\" {1e400"}',
  ])('takes the claims %s, whose numbers are exact', async (claims) => {
    const service = await runTicketService();
    const answer = await issue(service, `{"claims":${claims}}`);

    expect(answer.status).toBe(201);
    expect(JSON.parse((await recordOf(service, answer))?.clientClaims ?? '')).toEqual(
      JSON.parse(claims, (_, value) => (value === 0 ? 0 : value)),
    );
  });

  test('refuses a claim of the credentials with such a number', async () => {
    const service = await runTicketService({ AUTH_CLAIMS: 'order' });
    const credentials = await bearer('ada', '5m', { order: 653_247_040_368_672_800 });

    expect(pointersOf(await issue(service, {}, { credentials }))).toEqual(['#/claims']);
  });

  test('refuses a body that is not UTF-8 as malformed', async () => {
    const service = await runTicketService();
    for (const text of ['{"claims":{"name":"Zo\xeb"}}', '{"path":"/\xc3"}']) {
      const response = await fetch(`http://127.0.0.1:${service.port}/tickets`, {
        method: 'POST',
        headers: { Authorization: await bearer('ada'), 'Content-Type': 'application/json' },
        body: Buffer.from(text, 'latin1'),
      });
      expect([response.status, await response.json()]).toMatchObject([400, { code: 'request_malformed' }]);
    }
    expect((await issue(service, '\uFEFF{"audience":"chat"}')).status).toBe(201);
  });

  test.each(['null', '[]', '[{}]', '""'])('refuses the body %s', async (body) => {
    const service = await runTicketService();

    expect([400, 422]).toContain((await issue(service, body)).status);
  });

  test('takes JSON under any content type', async () => {
    const service = await runTicketService();
    const answer = await issue(service, '{"audience":"chat"}', { headers: { 'Content-Type': 'text/plain' } });

    expect(await recordOf(service, answer)).toMatchObject({ audience: 'chat' });
  });

  test.each([
    ['127.0.0.1', '2001:db8::7'],
    ['192.0.2.1', '127.0.0.1'],
  ])('binds to the address behind a proxy, where %s is one of ours', async (trusted, address) => {
    const service = await runTicketService({ TRUST_PROXY: trusted });
    const answer = await issue(service, undefined, { headers: { 'X-Forwarded-For': '2001:db8::7' } });

    expect(await recordOf(service, answer)).toMatchObject({ address });
  });

  test('limits the unspent tickets of each subject separately', async () => {
    const service = await runTicketService({ MAX_PENDING_PER_SUBJECT: '2' });
    const first = await issue(service, { ttl_seconds: 3 });
    await issue(service);
    const refused = await issue(service);

    expect(refused.status).toBe(429);
    expect(refused.body).toMatchObject({ code: 'pending_limit', retry: 'backoff' });
    expect(Number(refused.headers.get('retry-after'))).toBe(refused.body.retry_after);
    expect(refused.body.retry_after).toBeGreaterThanOrEqual(1);
    expect(refused.body.retry_after).toBeLessThanOrEqual(3);
    expect((await issue(service, undefined, { credentials: await bearer('bob') })).status).toBe(201);
    expect((await ask(service, `/tickets/${first.body.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await issue(service)).status).toBe(201);
  });
});
