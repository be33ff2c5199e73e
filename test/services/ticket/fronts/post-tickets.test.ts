import { beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../../../support/http/http-answer.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { type InProcess, runTicketService } from '../../../support/services/in-process.ts';
import { exchange } from '../../../support/sockets/raw-client.ts';

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
  ['with fields', { headers: json, body: '{"path":"/room/7","ttl_seconds":5}' }],
  ['from an allowed origin', { headers: { ...json, Origin: 'https://app.example' }, body: '{}' }],
  ['from another origin', { headers: { ...json, Origin: 'https://evil.example' }, body: '{}' }],
  ['from the origin null', { headers: { Origin: 'null' } }],
  ['with an unknown field', { headers: json, body: '{"what":1}' }],
  ['for another subject', { headers: json, body: '{"subject":"bob"}' }],
  ['with truncated JSON', { headers: json, body: '{"path":' }],
  ['with JSON that is not an object', { headers: json, body: '"x"' }],
  ['with a body that is too large', { headers: json, body: `{"claims":"${'x'.repeat(20_000)}"}` }],
  ['with a compressed body', { headers: { ...json, 'Content-Encoding': 'gzip' }, body: 'x' }],
  ['with a chunked body', { headers: { ...json, 'Transfer-Encoding': 'chunked' }, body: '2\r\n{}\r\n0\r\n\r\n' }],
  ['with an unknown charset', { headers: { 'Content-Type': 'application/json; charset=ebcdic' }, body: '{}' }],
  ['with another content type', { headers: { 'Content-Type': 'text/plain' }, body: '{}' }],
  ['without credentials', { headers: { Authorization: '' } }],
  ['with wrong credentials', { headers: { Authorization: 'Bearer a.b.c' } }],
];

async function ask(target: string, { headers = {}, body = '' }: Sent): Promise<Answer | undefined> {
  const all: Record<string, string> = { Host: 'tickets.example', Authorization: authorization, Connection: 'close' };
  Object.assign(all, headers);
  if (all['Transfer-Encoding'] === undefined) all['Content-Length'] = String(Buffer.byteLength(body));
  if (all.Authorization === '') delete all.Authorization;
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const [answer] = await exchange(service.port, `POST ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  return answer;
}

/** An answer without what differs each time: ids, secrets, times and what remains of a rate. */
const comparable = (answer: Answer | undefined) => {
  const id = /"id":"([\w-]{22})"/.exec(answer?.body ?? '')?.[1] ?? 'no id';
  const text = (value: string): string =>
    value
      .replace(/ogt_[\w-]{22}\.[\w-]{32}/g, 'TICKET')
      .replaceAll(id, 'ID')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');
  const headers = answer?.headers.map(([name, value]) => [name, text(value)] as const) ?? [];
  const kept = headers.filter(([name]) => name !== 'date' && name !== 'ratelimit').sort();
  return { statusLine: answer?.statusLine, headers: kept, body: text(answer?.body ?? '') };
};

describe('a POST /tickets', () => {
  test.each(rows)('%s gets the same answer at both doors', async (_name, sent) => {
    const pastExpress = comparable(await ask('/tickets', sent));
    // A query leads to the door in Express.
    const inExpress = comparable(await ask('/tickets?', sent));

    expect(pastExpress).toEqual(inExpress);
    expect(pastExpress.statusLine).toMatch(/^HTTP\/1\.1 (201|4\d\d) /);
  });
});
