import { describe, expect, test } from 'vitest';
import { findingsOf, settingChecks, textOf } from '../../../shared/settings/checks.ts';
import { type Environment, loadSettings } from '../../../shared/settings/load.ts';
import { temporaryFile } from '../../support/machine/temporary-file.ts';

/** Nothing is found here, by any check. */
const SOUND: Environment = {
  REDIS_URL: 'rediss://redis.example',
  GATEWAY_URL: 'wss://chat.example',
  UPSTREAM_URL: 'wss://app.example',
  AUTH_FORWARD_URL: 'https://app.example/me',
  ALLOWED_ORIGINS: 'https://chat.example',
  TRUST_PROXY: '10.0.0.0/8',
  TICKET_CARRIERS: 'subprotocol,authorization',
  MAX_SESSION_TOTAL_SECONDS: '86400',
  MAX_CONNECTIONS: '10000',
  MAX_CONNECTIONS_PER_SUBJECT: '100',
  MAX_FAILED_HANDSHAKES_PER_MINUTE: '100',
  MAX_REQUESTS_PER_MINUTE_PER_ADDRESS: '1000',
  MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '1000',
};
const NOW = Date.parse('2026-11-29T00:00:00Z');

function found(changes: Environment, { strict = true, openFiles = 65_536, now = NOW } = {}): string[] {
  const environment = { ...SOUND, ...changes };
  const loaded = loadSettings(environment, []);
  if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
  const findings = findingsOf(loaded.settings, { environment, now, openFiles }, strict);
  for (const finding of findings) expect(textOf(finding)).toMatch(/^[^\n]+: [^\n]+; [^\n]+$/);
  return findings.map(({ event, setting }) => `${event} ${setting}`);
}

/** Each check, with a configuration in which it finds something. */
const ALWAYS: ReadonlyArray<readonly [finding: string, changes: Environment]> = [
  ['setting_unknown ALLOWED_ORIGIN', { ALLOWED_ORIGIN: 'https://chat.example' }],
  ['setting_unknown AUTH_USERS_FLE', { AUTH_USERS_FLE: 'users' }],
  ['trust_too_wide TRUST_PROXY', { TRUST_PROXY: '0.0.0.0/0' }],
  ['trust_too_wide TRUST_PROXY', { TRUST_PROXY: '0.0.0.0/1,128.0.0.0/1' }],
  ['lease_too_short LEASE_SECONDS', { LEASE_SECONDS: '29' }],
  ['lease_too_short LEASE_SECONDS', { LEASE_SECONDS: '31' }],
  ['lease_too_short LEASE_SECONDS', { HEARTBEAT_SECONDS: '120' }],
  ['open_files_too_few MAX_CONNECTIONS', { MAX_CONNECTIONS: '65530' }],
];

const STRICT: ReadonlyArray<readonly [finding: string, changes: Environment]> = [
  ['ticket_in_url TICKET_CARRIERS', { TICKET_CARRIERS: 'query' }],
  ['ticket_in_url TICKET_CARRIERS', { TICKET_CARRIERS: '' }],
  ['not_encrypted GATEWAY_URL', { GATEWAY_URL: 'ws://chat.example' }],
  ['not_encrypted UPSTREAM_URL', { UPSTREAM_URL: 'ws://10.0.0.1:8000' }],
  ['not_encrypted AUTH_OIDC_ISSUER', { AUTH_OIDC_ISSUER: 'http://login.example' }],
  ['not_encrypted AUTH_JWKS_URL', { AUTH_JWKS_URL: 'http://login.example/jwks' }],
  ['not_encrypted AUTH_INTROSPECTION_URL', { AUTH_INTROSPECTION_URL: 'http://login.example/introspect' }],
  ['not_encrypted AUTH_FORWARD_URL', { AUTH_FORWARD_URL: 'http://app.example/me' }],
  ['not_encrypted AUTH_FORWARD_URL', { AUTH_FORWARD_URL: 'http://[2001:db8::1]/me' }],
  ['not_encrypted ROUTES_FILE', { UPSTREAM_URL: '', ROUTES_FILE: routes('ws://app.example') }],
  ['redis_not_encrypted REDIS_URL', { REDIS_URL: 'redis://redis.example' }],
  ['redis_not_encrypted REDIS_URL', { REDIS_URL: '', REDIS_CLUSTER_NODES: '127.0.0.1:1,10.0.0.1:1' }],
  ['redis_not_encrypted REDIS_SENTINEL_TLS', { REDIS_SENTINELS: '10.0.0.1:26379', REDIS_SENTINEL_NAME: 'main' }],
  ['redis_not_encrypted AUTH_SESSION_REDIS_URL', { AUTH_SESSION_REDIS_URL: 'redis://10.0.0.1' }],
  ['no_limit MAX_CONNECTIONS', { MAX_CONNECTIONS: '0' }],
  ['no_limit MAX_CONNECTIONS_PER_SUBJECT', { MAX_CONNECTIONS_PER_SUBJECT: '0' }],
  ['no_limit MAX_FAILED_HANDSHAKES_PER_MINUTE', { MAX_FAILED_HANDSHAKES_PER_MINUTE: '0' }],
  ['no_limit MAX_REQUESTS_PER_MINUTE_PER_ADDRESS', { MAX_REQUESTS_PER_MINUTE_PER_ADDRESS: '0' }],
  ['admin_port_reachable ADMIN_HOST', { ADMIN_HOST: '0.0.0.0' }],
  ['admin_port_reachable ADMIN_HOST', { ADMIN_HOST: '::' }],
  ['admin_port_reachable ADMIN_HOST', { ADMIN_HOST: 'gateway-1.internal' }],
  ['any_origin ALLOWED_ORIGINS', { ALLOWED_ORIGINS: '*' }],
];

function routes(upstream: string): string {
  return temporaryFile(JSON.stringify({ routes: [{ path: '/', upstream }] }));
}

describe('the checks of a configuration', () => {
  test('find nothing in one that is sound', () => {
    expect(found({})).toEqual([]);
  });

  test.each(ALWAYS)('find %s with %j, strict or not', (finding, changes) => {
    expect(found(changes, { strict: false })).toEqual([finding]);
    expect(found(changes)).toEqual([finding]);
  });

  test.each(STRICT)('find %s with %j, where they are strict', (finding, changes) => {
    expect(found(changes, { strict: false })).toEqual([]);
    expect(found(changes)).toEqual([finding]);
  });

  test.each([
    { LEASE_SECONDS: '60' },
    { GATEWAY_URL: 'ws://localhost:8081', UPSTREAM_URL: 'ws://127.0.0.1:8000', AUTH_FORWARD_URL: 'http://[::1]/me' },
    { REDIS_URL: 'redis://localhost:6379' },
    { REDIS_URL: 'redis://[::1]:6379' },
    { ADMIN_HOST: '::1' },
    { ADMIN_HOST: 'localhost' },
    { REDIS_PORT: 'tcp://10.0.0.1:6379', GATEWAY_SERVICE_PORT: '80' },
    { UPSTREAM_URL: '', ROUTES_FILE: routes('wss://app.example') },
  ])('find nothing with %j', (changes) => {
    expect(found(changes)).toEqual([]);
  });

  test('find how few files may be open', () => {
    expect(found({}, { openFiles: 1_023 })).toEqual(['open_files_too_few MAX_CONNECTIONS']);
    expect(found({ MAX_CONNECTIONS: '100' }, { openFiles: 1_024 })).toEqual([]);
  });

  test('show no value of an unknown name', () => {
    const environment = { AUTH_JWT_SECERT: 'a-value-that-is-a-secret' };
    const loaded = loadSettings(environment, []);
    if (!loaded.ok) throw new Error();

    expect(
      JSON.stringify(findingsOf(loaded.settings, { environment, now: NOW, openFiles: undefined }, true)),
    ).not.toContain('a-value');
  });

  test('are each tried above, or where certificates are', () => {
    const tried = [...ALWAYS, ...STRICT].map(([finding]) => finding.split(' ')[0]);

    expect(new Set([...tried, 'certificate_not_valid'])).toEqual(new Set(settingChecks.map(({ event }) => event)));
  });
});
