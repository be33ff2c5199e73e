import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isMissing } from '../support/machine/programs.ts';
import { temporaryDirectory } from '../support/machine/temporary-file.ts';

const root = join(import.meta.dirname, '..', '..');
const SECRETS = {
  REDIS_PASSWORD: 'a-password-of-redis',
  AUTH_JWT_SECRET: 'a secret of this test, long enough for HS256',
};
const GATEWAYS = ['gateway-1', 'gateway-2', 'gateway-3'];

/** A developer's own .env must not provide what is missing. */
const scratch = temporaryDirectory();
const emptyFile = join(scratch, 'empty.env');
writeFileSync(emptyFile, '');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `docker-compose config` with these variables only. It needs no Docker engine. */
function compose(env: Readonly<Record<string, string>>, ...options: string[]): Promise<Ended> {
  const args = ['--env-file', emptyFile, 'config', ...options];
  const clean = { PATH: process.env.PATH ?? '', HOME: scratch, ...env };
  return new Promise((resolve) => {
    execFile('docker-compose', args, { cwd: root, env: clean }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}

/** The part of the normalised output about one service. */
function sectionOf(service: string, output: string): string {
  const services = output.slice(output.indexOf('\nservices:\n'));
  const [, section = ''] = new RegExp(`\\n  ${service}:\\n((?: {3,}.*\\n|\\n)*)`).exec(services) ?? [];
  return section;
}

describe.skipIf(isMissing('docker-compose'))('docker-compose.yml', () => {
  test('is accepted, with one Redis, one ticket service, three gateways and nginx', async () => {
    const { code, stdout, stderr } = await compose(SECRETS, '--services');

    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.trim().split('\n').sort()).toStrictEqual([...GATEWAYS, 'nginx', 'redis', 'ticket'].sort());
  });

  for (const name of ['REDIS_PASSWORD', 'AUTH_JWT_SECRET'] as const) {
    for (const [without, value] of [
      ['without', undefined],
      ['with an empty', ''],
    ] as const) {
      test(`is refused ${without} ${name}`, async () => {
        const { [name]: _, ...others } = SECRETS;
        const { code, stderr } = await compose(value === undefined ? others : { ...others, [name]: value });

        expect(code).not.toBe(0);
        expect(stderr).toContain(name);
      });
    }
  }

  test('contains no secret', () => {
    const written = readFileSync(join(root, 'docker-compose.yml'), 'utf8');

    // A secret is always a reference to a variable that must be set.
    for (const name of Object.keys(SECRETS)) expect(written).toContain(`\${${name}:?`);
    expect(written).not.toMatch(/(?:PASSWORD|SECRET)\w*: *["']?[A-Za-z0-9]/);
  });

  test('gives every service the same Redis, with its password, and each gateway an id of its own', async () => {
    const { stdout } = await compose(SECRETS);

    for (const service of ['ticket', ...GATEWAYS]) {
      expect(sectionOf(service, stdout)).toContain(`REDIS_URL: redis://:${SECRETS.REDIS_PASSWORD}@redis:6379`);
    }
    for (const gateway of GATEWAYS) expect(sectionOf(gateway, stdout)).toContain(`GATEWAY_ID: ${gateway}`);
  });

  test('runs Redis without persistence and without eviction', async () => {
    const redis = sectionOf('redis', (await compose(SECRETS)).stdout);

    expect(redis).toContain('save ""');
    expect(redis).toContain('appendonly no');
    expect(redis).toContain('maxmemory-policy noeviction');
    expect(redis).toMatch(/requirepass \$\$REDISCLI_AUTH/);
    expect(redis).not.toContain('volumes:');
  });

  test('publishes nginx and nothing else', async () => {
    const { stdout } = await compose(SECRETS);
    const published = ['redis', 'ticket', ...GATEWAYS, 'nginx'].filter((service) =>
      sectionOf(service, stdout).includes('ports:'),
    );

    expect(published).toStrictEqual(['nginx']);
  });

  test('runs nginx with a configuration that retries an early 503 and nothing else', async () => {
    const configuration = readFileSync(join(root, 'deploy', 'nginx.conf'), 'utf8').replace(/#.*$/gm, '');

    expect(sectionOf('nginx', (await compose(SECRETS)).stdout)).toContain('deploy/nginx.conf');
    expect(configuration.match(/proxy_next_upstream\w*[^;]*;/g)).toStrictEqual([
      'proxy_next_upstream         http_503;',
      'proxy_next_upstream_timeout 200ms;',
      'proxy_next_upstream_tries   3;',
    ]);
    for (const gateway of GATEWAYS) expect(configuration).toContain(`server ${gateway}:8081;`);
    const [, readTimeout] = /proxy_read_timeout +(\d+)s;/.exec(configuration) ?? [];
    expect(Number(readTimeout)).toBeGreaterThan(30);
  });
});
