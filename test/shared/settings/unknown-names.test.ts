import { describe, expect, test } from 'vitest';
import { settingNames } from '../../../shared/settings/table.ts';
import { unknownNames } from '../../../shared/settings/unknown-names.ts';

const found = (...names: string[]) => unknownNames(Object.fromEntries(names.map((name) => [name, 'a-value'])));

describe('an unknown name in the environment', () => {
  test.each([
    ['ALLOWED_ORIGIN', 'ALLOWED_ORIGINS'],
    ['AUTH_USERS_FLE', 'AUTH_USERS_FILE'],
    ['AUTH_JWT_SECERT', 'AUTH_JWT_SECRET'],
    ['TRUST_PROXIES', 'TRUST_PROXY'],
    ['TRUSTED_PROXY', 'TRUST_PROXY'],
    ['TLS_CERT', 'TLS_CERT_FILE'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['LEASE', 'LEASE_SECONDS'],
    ['HEARTBEAT_SECOND', 'HEARTBEAT_SECONDS'],
    ['MAX_CONNECTION', 'MAX_CONNECTIONS'],
    ['ticket_port', 'TICKET_PORT'],
    ['POLICY-FILE', 'POLICY_FILE'],
    ['GATEWAY_URI', 'GATEWAY_URL'],
    ['REDIS_SENTINEL', 'REDIS_SENTINELS'],
    ['UPSTREAM', 'UPSTREAM_URL'],
    ['DRAIN_SECS', 'DRAIN_SECONDS'],
  ])('%s is found, and %s is meant', (name, nearest) => {
    expect(found(name)).toEqual([{ name, nearest }]);
  });

  test.each([
    'AUTH_X',
    'TICKET_Q',
    'GATEWAY_COLOUR_OF_THE_DOOR',
    'REDIS_ZZZZZZ',
    'UPSTREAM_HELLO_WORLD',
    'MAX_HEIGHT_OF_A_TREE',
  ])('%s is found although nothing is near', (name) => {
    expect(found(name)).toEqual([{ name, nearest: undefined }]);
  });

  test('is never a setting', () => {
    expect(found(...settingNames)).toEqual([]);
  });

  test('is none of those that Kubernetes, Docker, a shell, npm or a platform sets', () => {
    expect(
      found(
        ...[
          'REDIS_PORT',
          'REDIS_SERVICE_HOST',
          'REDIS_SERVICE_PORT',
          'REDIS_SERVICE_PORT_METRICS',
          'REDIS_PORT_6379_TCP',
        ],
        ...[
          'REDIS_PORT_6379_TCP_ADDR',
          'REDIS_PORT_6379_TCP_PORT',
          'REDIS_PORT_6379_TCP_PROTO',
          'GATEWAY_SERVICE_PORT',
        ],
        ...['TICKET_SERVICE_HOST', 'AUTH_API_SERVICE_HOST', 'AUTH_API_PORT_443_TCP', 'UPSTREAM_PORT_53_UDP_ADDR'],
        ...['GATEWAY_ADMIN_SERVICE_PORT_HTTP', 'TICKET_ADMIN_PORT_9080_TCP_ADDR', 'REDIS_MASTER_PORT'],
        ...[
          'PATH',
          'HOME',
          'HOSTNAME',
          'HOSTS',
          'PORT',
          'USER',
          'SHELL',
          'LANG',
          'PWD',
          'SHLVL',
          'TERM',
          'LOGNAME',
          'TZ',
        ],
        ...[
          'NODE_ENV',
          'NODE_OPTIONS',
          'npm_config_registry',
          'npm_lifecycle_event',
          'CI',
          'DEBUG',
          'VERSION',
          'LOG_FORMAT',
        ],
        ...['KUBERNETES_SERVICE_HOST', 'POD_IP', 'HOST_IP', 'http_proxy', 'NO_PROXY', 'REDISCLI_AUTH', 'PUBLISH'],
      ),
    ).toEqual([]);
  });

  test('is not what docker-compose.yml reads from the same file', () => {
    expect(found('REDIS_PASSWORD')).toEqual([]);
  });

  test('counts only with a value', () => {
    expect(unknownNames({ AUTH_USERS_FLE: '', ALLOWED_ORIGIN: undefined })).toEqual([]);
  });

  test('is told without its value', () => {
    expect(JSON.stringify(found('AUTH_JWT_SECERT'))).not.toContain('a-value');
  });
});
