import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseHandshake } from '../../../../services/gateway/admission/handshake.ts';
import { groupHeaders } from '../../../../services/gateway/admission/headers.ts';
import { type FindRoute, watchRoutes } from '../../../../services/gateway/admission/routes.ts';
import { createLogger } from '../../../../shared/process/log.ts';
import { loadSettings } from '../../../../shared/settings/load.ts';
import { CARRIERS } from '../../../../shared/ticket/carriers.ts';
import { NEAR, ORDINARY, TWO_READINGS } from '../../../support/hostile/paths.ts';
import { freePort } from '../../../support/machine/free-port.ts';
import { isMissing } from '../../../support/machine/programs.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { startProxy } from '../../../support/proxies/proxy-process.ts';
import { startCommand } from '../../../support/services/command-line.ts';
import { RawClient } from '../../../support/sockets/raw-client.ts';

const CORPUS = [...new Set([...Object.values(TWO_READINGS).flat(), ...NEAR, ...ORDINARY])];
const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const READERS = 'test/services/gateway/admission/readers';

/** Servers that take each path for one of two parts of a site. Resolves with the port. */
const readers = {
  nginx: () => startReader('nginx', 'nginx.conf', (file, dir) => ['-p', dir, '-c', file, '-g', 'daemon off;']),
  caddy: () => startReader('caddy', 'Caddyfile', (file) => ['run', '--config', file, '--adapter', 'caddyfile']),
  haproxy: () => startReader('haproxy', 'haproxy.cfg', (file) => ['-db', '-f', file]),
  express: async () => {
    const app = express();
    app.use('/admin', (_request, response) => void response.send('admin'));
    app.use((_request, response) => void response.send('other'));
    const server = app.listen(0, '127.0.0.1');
    atEnd(async () => void server.close());
    await until(() => server.listening);
    return (server.address() as AddressInfo).port; // a TCP server that listens has one
  },
  java: async () => {
    const port = await freePort();
    startCommand('java', [join(READERS, 'Reader.java')], { cwd: ROOT, env: { PORT: String(port) } });
    await until(() => fetch(`http://127.0.0.1:${port}/`).then(({ ok }) => ok));
    return port;
  },
} as const;

async function startReader(command: string, file: string, args: (file: string, dir: string) => string[]) {
  const listening = { nginx: 'listen 8000;', caddy: ':8000', haproxy: 'bind :8000' }[command] ?? '';
  const replace = (port: number) => [[listening, listening.replace(/:?8000/, listenOn(command, port))]] as const;
  return (await startProxy({ command, files: [`${READERS}/${file}`], args, replace })).port;
}

const listenOn = (command: string, port: number): string => (command === 'caddy' ? `:${port}` : `127.0.0.1:${port}`);

/** The part that a server takes a path for; undefined if it refuses the path. */
async function partAt(port: number, path: string): Promise<string | undefined> {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n`);
  const client = await RawClient.send(port, request);
  await client.closed;
  const [head = '', body = ''] = String(client.received).split('\r\n\r\n');
  return / 200 /.test(head) ? /admin|other/.exec(body)?.[0] : undefined;
}

let find: FindRoute;

/** The route that a gateway has for a path; undefined if it refuses the upgrade. */
function routeOf(target: string): string | undefined {
  const headers = groupHeaders([
    ...['Host', 'site.example', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'],
    ...['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ]);
  const request = { method: 'GET', target, httpVersion: '1.1', headers, earlyBytes: 0, pipelined: false };
  const parsed = parseHandshake(request, CARRIERS);
  const route = parsed.ok ? find(parsed.handshake.path) : undefined;
  return typeof route === 'object' ? route.prefix : undefined;
}

beforeAll(() => {
  const upstream = 'ws://127.0.0.1:1';
  const routes = [
    { path: '/admin', upstream, audience: 'admin' },
    { path: '/', upstream },
  ];
  const loaded = loadSettings({ ROUTES_FILE: temporaryFile(JSON.stringify({ routes })) }, []);
  if (!loaded.ok) throw new Error(loaded.faults.join());
  const watched = watchRoutes(loaded.settings, createLogger('silent', {}));
  atEnd(async () => watched.end());
  find = watched.find;
});

test('the corpus has at least 150 paths, and 40 ordinary ones of which none is refused', () => {
  expect(CORPUS.length).toBeGreaterThanOrEqual(150);
  expect(ORDINARY.length).toBeGreaterThanOrEqual(40);
  expect(ORDINARY.filter((path) => routeOf(path) !== '/')).toEqual([]);
});

describe.each(Object.entries(readers))('%s', (name, start) => {
  test.skipIf(name !== 'express' && isMissing(name as 'nginx'))(
    'takes no path for another route’s that the gateway admits',
    async () => {
      const port = await start();
      const parts = await Promise.all(CORPUS.map(async (path) => [path, await partAt(port, path)] as const));
      const seen = new Map(parts);

      // It serves at all, and reads some of the refused paths as the guarded one.
      expect([seen.get('/admin/x'), seen.get('/chat')]).toEqual(['admin', 'other']);
      const admitted = parts.map(([path, part]) => ({ path, part, route: routeOf(path) }));
      expect(
        admitted.filter(({ part, route }) => {
          const served = part === 'admin' ? '/admin' : '/';
          return part !== undefined && route !== undefined && served !== route;
        }),
      ).toEqual([]);
    },
  );
});
