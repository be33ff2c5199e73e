import { beforeAll, describe, expect, test } from 'vitest';
import { type InProcess, runTicketService } from '../../../support/services/in-process.ts';
import { bearer } from '../../../support/services/services.ts';
import { exchange, type RawResponse } from '../../../support/sockets/raw-socket.ts';

let service: InProcess;
let authorization: string;

beforeAll(async () => {
  service = await runTicketService({
    ALLOWED_ORIGINS: 'https://app.example',
    MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '100000',
  });
  authorization = await bearer('ada');
});

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const json = { 'Content-Type': 'application/json' };

const rows: ReadonlyArray<readonly [string, Sent]> = [
  ['without a body', {}],
  ['with a wish', { headers: json, body: '{"path":"/room/7","ttl_seconds":5}' }],
  ['of a page that may ask', { headers: { ...json, Origin: 'https://app.example' }, body: '{}' }],
  ['of a page that may not', { headers: { ...json, Origin: 'https://evil.example' }, body: '{}' }],
  ['of a page of nobody', { headers: { Origin: 'null' } }],
  ['with a field that is not known', { headers: json, body: '{"what":1}' }],
  ['for somebody else', { headers: json, body: '{"subject":"bob"}' }],
  ['with JSON that ends too early', { headers: json, body: '{"path":' }],
  ['with JSON that is no object', { headers: json, body: '"x"' }],
  ['with more than is read', { headers: json, body: `{"claims":"${'x'.repeat(20_000)}"}` }],
  ['with a body that is compressed', { headers: { ...json, 'Content-Encoding': 'gzip' }, body: 'x' }],
  ['with a body in parts', { headers: { ...json, 'Transfer-Encoding': 'chunked' }, body: '2\r\n{}\r\n0\r\n\r\n' }],
  ['with a body in another alphabet', { headers: { 'Content-Type': 'application/json; charset=ebcdic' }, body: '{}' }],
  ['with a type that is none', { headers: { 'Content-Type': 'text/plain' }, body: '{}' }],
  ['without credentials', { headers: { Authorization: '' } }],
  ['with wrong credentials', { headers: { Authorization: 'Bearer a.b.c' } }],
];

async function ask(target: string, { headers = {}, body = '' }: Sent): Promise<RawResponse | undefined> {
  const all: Record<string, string> = { Host: 'tickets.example', Authorization: authorization, Connection: 'close' };
  Object.assign(all, headers);
  if (all['Transfer-Encoding'] === undefined) all['Content-Length'] = String(Buffer.byteLength(body));
  if (all.Authorization === '') delete all.Authorization;
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const [answer] = await exchange(service.port, `POST ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  return answer;
}

/** What is not alike in two answers to the same request: ids, secrets and times. */
const alike = (answer: RawResponse | undefined) => {
  const id = /"id":"([\w-]{22})"/.exec(answer?.body ?? '')?.[1] ?? 'no id';
  const text = (value: string): string =>
    value
      .replace(/ogt_[\w-]{22}\.[\w-]{32}/g, 'TICKET')
      .replaceAll(id, 'ID')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');
  const headers = answer?.headers.map(([name, value]) => [name, text(value)] as const) ?? [];
  const told = headers.filter(([name]) => name !== 'date' && name !== 'ratelimit').sort();
  return { statusLine: answer?.statusLine, headers: told, body: text(answer?.body ?? '') };
};

describe('a POST /tickets', () => {
  test.each(rows)('%s is answered as Express would have it answered', async (_name, sent) => {
    const directly = alike(await ask('/tickets', sent));
    // With a query it is for Express.
    const byExpress = alike(await ask('/tickets?', sent));

    expect(directly).toEqual(byExpress);
    expect(directly.statusLine).toMatch(/^HTTP\/1\.1 (201|4\d\d) /);
  });
});
