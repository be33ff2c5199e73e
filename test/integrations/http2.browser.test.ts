import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { startChromium } from '../support/browsers/chromium.ts';
import { startFirefox } from '../support/browsers/firefox.ts';
import { bearer } from '../support/logins/bearer.ts';
import { createAuthority } from '../support/machine/certificates.ts';
import { isMissing } from '../support/machine/programs.ts';
import { temporaryFile } from '../support/machine/temporary-file.ts';
import { until } from '../support/machine/wait.ts';
import type { ProxyProcess } from '../support/proxies/proxy-process.ts';
import { modes, type Replacements } from './modes.ts';
import { type Site, startSite } from './site.ts';

/** What a page does in a browser: it asks for a ticket, connects, and says what came of it. */
const RUN = `(authorization, mangle) => (async () => {
  const answer = await fetch('/tickets', { method: 'POST', headers: { Authorization: authorization } });
  const { id, protocols } = await answer.json();
  const offered = mangle ? protocols.map((protocol) => protocol.replace('ogt_', 'ogt_x')) : protocols;
  const socket = new WebSocket('wss://' + location.host + '/~' + id + '/room', offered);
  const [protocol] = performance.getEntriesByName(answer.url).map((entry) => entry.nextHopProtocol);
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => resolve([protocol, socket.protocol, data]);
    socket.onclose = ({ code }) => resolve([protocol, code]);
  });
})()`;

type Run = (authorization: string, mangle: boolean) => Promise<unknown[]>;

const browsers = {
  chromium: async (url: string): Promise<Run> => {
    const context = await (await startChromium()).newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(url);
    return (authorization, mangle) => page.evaluate(`(${RUN})(${JSON.stringify(authorization)}, ${mangle})`);
  },
  firefox: async (url: string): Promise<Run> => {
    const page = await (await startFirefox({ acceptInsecureCerts: true })).newPage();
    await page.goto(url);
    return async (authorization, mangle) =>
      (await page.evaluate(`(${RUN})(${JSON.stringify(authorization)}, ${mangle})`)) as unknown[];
  },
};

const haproxy = modes.filter(({ proxy }) => proxy === 'haproxy' && !isMissing('haproxy') && !isMissing('redis'));

/** HAProxy with TLS and HTTP/2, a page at `/page`, and the version of HTTP in its log. */
function overHttp2(): Replacements {
  const { certFile, keyFile } = createAuthority().selfSigned('DNS:localhost');
  const pem = temporaryFile(readFileSync(certFile, 'utf8') + readFileSync(keyFile, 'utf8'));
  return (port) => [
    [
      'bind :8000',
      `bind 127.0.0.1:${port} ssl crt ${pem} alpn h2,http/1.1\n    http-request return status 200 content-type text/html string "<title>A page</title>" if { path /page }`,
    ],
    ['"method":"%HM"', '"method":"%HM","version":"%HV"'],
  ];
}

describe.each(haproxy)('over HTTP/2, $name', (mode) => {
  let site: Site;
  let proxy: ProxyProcess;
  beforeAll(async () => {
    site = await startSite({ ALLOWED_ORIGINS: '*' });
    const [gateway] = site.fleet.gateways;
    if (gateway === undefined) throw new Error('a fleet without a gateway');
    const { port, adminPort } = gateway;
    const behind = { ticket: site.fleet.ticket.port, gateway: port, admin: adminPort, backEnd: site.backEnd.port };
    proxy = await mode.start(behind, overHttp2());
  });

  test.each(Object.entries(browsers).filter(([name]) => !isMissing(name as 'chromium')))(
    '%s connects with its ticket, and is refused without a good one',
    async (_, start) => {
      const run = await start(`https://localhost:${proxy.port}/page`);
      const authorization = await bearer('ada');
      const before = site.backEnd.arrivals.length;

      expect(await run(authorization, false)).toEqual(['h2', 'oncegate.v1', 'hello, ada']);
      expect(await run(authorization, true)).toEqual(['h2', 1006]);

      const [arrival, ...more] = site.backEnd.arrivals.slice(before);
      expect(more).toEqual([]);
      expect(arrival?.url).toBe('/room');
      // The WebSocket itself came over HTTP/2 (RFC 8441).
      const attempts = () =>
        proxy
          .output()
          .split('\n')
          .filter((line) => /"path":"[^"]*\/~/.test(line));
      await until(() => attempts().length > 0, { what: 'a line in the log' });
      expect(attempts().filter((line) => !line.includes('"version":"HTTP/2.0"'))).toEqual([]);
    },
  );
});
