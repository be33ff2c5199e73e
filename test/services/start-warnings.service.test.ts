import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { findingsOf } from '../../shared/settings/checks.ts';
import { loadSettings } from '../../shared/settings/load.ts';
import { createAuthority } from '../support/machine/certificates.ts';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { startRedis } from '../support/redis/redis.ts';
import { runToEnd, startService } from '../support/services/services.ts';

const REDIS_URL = 'redis://127.0.0.1:1';
const AUTH_JWT_SECRET = 'a secret of this test, long enough for HS256';

test.each(['ticket', 'gateway', 'standalone'] as const)('the %s warns at its start', async (name) => {
  const { log } = await startService(name, {
    REDIS_URL,
    AUTH_JWT_SECRET,
    ALLOWED_ORIGIN: 'https://a-value.example',
    TRUST_PROXY: '::/0',
    LEASE_SECONDS: '20',
    REDIS_PORT_6379_TCP_ADDR: '10.0.0.1',
  });
  const warnings = log.filter(({ level }) => level === 'warn').map(({ event, setting }) => `${event} ${setting}`);

  expect(warnings).toEqual(
    expect.arrayContaining([
      'setting_unknown ALLOWED_ORIGIN',
      'trust_too_wide TRUST_PROXY',
      'lease_too_short LEASE_SECONDS',
    ]),
  );
  expect(JSON.stringify(log)).not.toMatch(/a-value|6379/);
});

test.each(['0.0.0.0/0', '::/0', '0.0.0.0/1,128.0.0.0/1'])(
  'AUTH_PROXY_HEADER that is believed from %s is a fault',
  async (proxies) => {
    const { code, stderr } = await runToEnd('ticket', {
      REDIS_URL,
      AUTH_PROXY_HEADER: 'X-Forwarded-User',
      TRUST_PROXY: proxies,
    });

    expect(code).toBe(78);
    expect(stderr).toMatch(/^TRUST_PROXY: must name the proxies alone, because AUTH_PROXY_HEADER is set/);
  },
);

test('two gateways of one id warn', async () => {
  const redis = await startRedis();
  const env = { REDIS_URL: redis.url, GATEWAY_ID: 'gateway-1' };
  const gateways = await Promise.all([startService('gateway', env), startService('gateway', env)]);
  await until(() => gateways.some(({ log }) => log.some(({ event }) => event === 'gateway_id_shared')));
});

test('the admin port listens on loopback, whatever HOST says, unless ADMIN_HOST says otherwise', async () => {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  // 127.0.0.2 is another address of this machine on Linux.
  const host = own ?? '127.0.0.2';
  const answers = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect({ port, host }, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
  const open = { REDIS_URL, HOST: '0.0.0.0' };
  const shut = await startService('gateway', open);
  const told = await startService('gateway', { ...open, ADMIN_HOST: '0.0.0.0' });

  expect([await answers(shut.port), await answers(shut.adminPort)]).toEqual([true, false]);
  expect([await answers(told.port), await answers(told.adminPort)]).toEqual([true, true]);
});

test.skipIf(isMissing('openssl'))('certificates that have expired, or are not valid yet, are found', () => {
  const authority = createAuthority();
  const found = (file: string, key: string, now = Date.now()) => {
    const environment = { TLS_CERT_FILE: file, TLS_KEY_FILE: key, REDIS_URL: 'rediss://h', REDIS_CA_FILE: file };
    const loaded = loadSettings(environment, []);
    if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
    return findingsOf(loaded.settings, { environment, now, openFiles: undefined }).map(
      ({ event, setting }) => `${event} ${setting}`,
    );
  };
  const good = authority.issue('DNS:localhost');
  const old = authority.issue('DNS:localhost', { expired: true });
  const both = ['certificate_not_valid TLS_CERT_FILE', 'certificate_not_valid REDIS_CA_FILE'];

  expect(found(good.certFile, good.keyFile)).toEqual([]);
  expect(found(old.certFile, old.keyFile)).toEqual(both);
  expect(found(good.certFile, good.keyFile, Date.parse('2019-12-31'))).toEqual(both);
});
