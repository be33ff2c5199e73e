import { beforeAll, describe, expect, test } from 'vitest';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { startProxy } from '../support/proxies/proxy-process.ts';
import { RawClient } from '../support/sockets/raw-client.ts';
import { upgradeLines } from '../support/sockets/upgrade-request.ts';
import { modesHere } from './modes.ts';
import { type Site, startSite } from './site.ts';

/** Proxies between the first one, or the gateway, and the back end. Caddy removes what `Connection` names. */
const hops = {
  caddy: (backEnd: number) =>
    startProxy({
      command: 'caddy',
      files: ['test/integrations/hops/Caddyfile'],
      args: (file) => ['run', '--config', file, '--adapter', 'caddyfile'],
      replace: (port) => [
        [':8000', `:${port}`],
        ['127.0.0.1:3000', `127.0.0.1:${backEnd}`],
      ],
    }),
  nginx: (backEnd: number) =>
    startProxy({
      command: 'nginx',
      files: ['test/integrations/hops/nginx.conf'],
      args: (file, dir) => ['-p', dir, '-c', file, '-g', 'daemon off;'],
      replace: (port) => [
        ['listen 8000;', `listen 127.0.0.1:${port};`],
        ['127.0.0.1:3000', `127.0.0.1:${backEnd}`],
      ],
    }),
} as const;

const hopsHere = (['caddy', 'nginx'] as const).filter((hop) => !isMissing(hop) && modesHere.length > 0);

const IDENTITY = [
  ...['oncegate-subject', 'oncegate-ticket-id', 'oncegate-claims'],
  ...['oncegate-client-claims', 'oncegate-identity'],
];

const named = [
  ['one header', ['Connection: Oncegate-Subject']],
  ['all of them', [`Connection: ${IDENTITY.join(', ')}`]],
  ['them beside upgrade', [`Connection: keep-alive, ${IDENTITY.join(',')}, Upgrade`]],
  ['them in other letters', [`CONNECTION: ${IDENTITY.join(', ').toUpperCase()}`]],
  ['close, and one', ['Connection: close, Oncegate-Claims']],
  ['what proxies write', ['Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto']],
] as const;

describe.each(hopsHere)('with %s as a second hop', (hop) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite({}, 1, async (backEnd) => (await hops[hop](backEnd)).port);
  });

  describe.each(modesHere)('behind $name', (mode) => {
    test.each(named)('the back end gets the whole identity if Connection names %s', async (_, lines) => {
      const { id, ticket } = await site.issue({}, 'ada');
      const before = site.backEnd.arrivals.length;
      const request = upgradeLines({ target: '/', ticket, carrier: 'query', headers: { Host: 'chat.example' } });

      const text = [...request, ...lines].join('\r\n');
      const client = await RawClient.send(site.proxyOf(mode).port, `${text}\r\n\r\n`);
      await until(() => client.received.includes('\r\n\r\n'), { what: 'an answer' });
      await client.destroy();

      expect(String(client.received)).toMatch(/^HTTP\/1\.1 101 /);
      const arrivals = site.backEnd.arrivals.slice(before);
      expect(arrivals).toHaveLength(1);
      const headers = new Map<string, string>();
      const { rawHeaders = [] } = arrivals[0] ?? {};
      for (let at = 0; at < rawHeaders.length; at += 2) {
        headers.set(String(rawHeaders[at]).toLowerCase(), String(rawHeaders[at + 1]));
      }
      expect(headers.get('oncegate-subject')).toBe('ada');
      expect(headers.get('oncegate-ticket-id')).toBe(id);
      expect([headers.get('oncegate-claims'), headers.get('oncegate-client-claims')]).toEqual(['e30', 'e30']);
      // The second hop sets, or passes on, what the first one said.
      expect(headers.get('x-forwarded-for')).toContain('127.0.0.1');
    });
  });
});
