import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { refusalCodes, refusals } from '../../../../shared/refusals.ts';
import { runTicketService } from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';

const HTML = { Accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' };
const anonymous = { credentials: null };

describe('the catalogue of problems', () => {
  test('has a JSON entry for each code', async () => {
    const service = await runTicketService();
    for (const code of refusalCodes) {
      const { status, headers, body } = await ask(service, `/problems/${code}`, anonymous);
      const { title, detail, retry } = refusals[code];

      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(body).toMatchObject({
        type: `urn:oncegate:problem:${code}`,
        code,
        status: refusals[code].status,
        title,
        detail,
        retry,
      });
    }
  });

  test('lists all of them', async () => {
    const service = await runTicketService();
    const { body } = await ask(service, '/problems', anonymous);

    expect(body.problems).toMatchObject(refusalCodes.map((code) => ({ code })));
  });

  test('says how long to wait, if that is known', async () => {
    const service = await runTicketService();

    expect((await ask(service, '/problems/draining', anonymous)).body).toMatchObject({
      retry: 'backoff',
      retry_after: 2,
    });
    expect((await ask(service, '/problems/ticket_consumed', anonymous)).body).not.toHaveProperty('retry_after');
  });

  test.each(['/problems', ...refusalCodes.map((code) => `/problems/${code}`)])(
    '%s is a page for people',
    async (path) => {
      const service = await runTicketService();
      const { status, headers, text } = await ask(service, path, { ...anonymous, headers: HTML });
      const code = path.split('/')[2];

      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(text).toMatch(/^<!doctype html>\n<html lang="en">/);
      if (code !== undefined) expect(text).toContain(`<code>${code}</code>`);
      // No script may run, and the only style is the one whose hash the policy names.
      expect(text).not.toMatch(/<script|<link|<img|\son\w+=|javascript:|style=/i);
      const styles = [...text.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, style]) => style ?? '');
      expect(styles).toHaveLength(1);
      const hash = createHash('sha256')
        .update(styles[0] ?? '')
        .digest('base64');
      expect(headers.get('content-security-policy')).toBe(
        `default-src 'none';style-src 'sha256-${hash}';base-uri 'none';form-action 'none';frame-ancestors 'none'`,
      );
    },
  );

  test.each([
    [{ Accept: 'application/json' }, 'application/json; charset=utf-8'],
    [{ Accept: '*/*' }, 'application/json; charset=utf-8'],
    [{ Accept: 'application/json;q=0.1, text/html' }, 'text/html; charset=utf-8'],
    [{ Accept: 'image/png' }, 'application/json; charset=utf-8'],
  ])('answers %j with %s', async (headers, type) => {
    const service = await runTicketService();

    expect((await ask(service, '/problems/not_found', { ...anonymous, headers })).headers.get('content-type')).toBe(
      type,
    );
  });

  test.each(['unheard_of', '__proto__', 'toString', 'NOT_FOUND', '%3Cscript%3E'])('has no entry %s', async (code) => {
    const service = await runTicketService();
    const { status, text } = await ask(service, `/problems/${code}`, { ...anonymous, headers: HTML });

    expect(status).toBe(404);
    expect(text).not.toContain('script>');
  });
});

describe('every answer of a ticket service', () => {
  test.each([
    ['an issue', '/tickets', { method: 'POST' }, 201],
    ['a list', '/tickets', {}, 200],
    ['a 401', '/tickets', anonymous, 401],
    ['a 404', '/nothing', anonymous, 404],
    ['a page', '/problems', { ...anonymous, headers: HTML }, 200],
  ] as const)('is never stored and has the headers of helmet: %s', async (_name, path, options, expected) => {
    const service = await runTicketService();
    const { status, headers } = await ask(service, path, options);

    expect(status).toBe(expected);
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'strict-transport-security': expect.stringContaining('max-age='),
      'x-frame-options': 'SAMEORIGIN',
    });
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('etag')).toBeNull();
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('the admin port', () => {
  test.each([
    ['/livez', 200, 'text/plain; charset=utf-8'],
    ['/readyz', 200, 'text/plain; charset=utf-8'],
    ['/metrics', 200, 'text/plain; version=0.0.4; charset=utf-8'],
    ['/metrics?name=a', 200, 'text/plain; version=0.0.4; charset=utf-8'],
    ['/tickets', 404, 'application/problem+json'],
    ['/', 404, 'application/problem+json'],
  ])('answers %s with %i', async (path, status, type) => {
    const { adminPort } = await runTicketService();
    const answer = await ask({ port: adminPort }, path, anonymous);

    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe(type);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('refuses other methods', async () => {
    const { adminPort } = await runTicketService();
    const answer = await ask({ port: adminPort }, '/metrics', { ...anonymous, method: 'POST' });

    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
  });

  test('is not reached through the public port', async () => {
    const service = await runTicketService();

    for (const path of ['/metrics', '/livez', '/readyz']) expect((await ask(service, path)).status).toBe(404);
  });

  test('reports a counter for every refusal, starting at zero', async () => {
    const service = await runTicketService();
    const series = await service.series('oncegate_requests_refused_total');

    expect(series).toEqual(
      Object.fromEntries(refusalCodes.map((code) => [`oncegate_requests_refused_total{code="${code}"}`, 0])),
    );
  });
});
