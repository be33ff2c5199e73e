import { generateKeyPairSync } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { hashPassword } from '../../../../../shared/logins/password.ts';
import { httpRequest } from '../../../../support/http/http-request.ts';
import { forge, signature } from '../../../../support/logins/forged-jwt.ts';
import { basic } from '../../../../support/logins/passwords.ts';
import { temporaryFile } from '../../../../support/machine/temporary-file.ts';
import { until } from '../../../../support/machine/wait.ts';
import { startRedis } from '../../../../support/redis/redis.ts';
import { type ServiceProcess, startService } from '../../../../support/services/services.ts';

const ATTACKERS = Array.from({ length: 24 }, (_, index) => `127.0.1.${index + 1}`);
const SAMPLES = 40;
const MOST_ROUNDS = 6;
const MOST_SLOWER = 3;

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });

let service: ServiceProcess;

beforeAll(async () => {
  const redis = await startRedis();
  service = await startService('ticket', {
    REDIS_URL: redis.url,
    AUTH_USERS_FILE: temporaryFile(`ada:${await hashPassword("ada's own")}\n`),
    AUTH_JWT_PUBLIC_KEY_FILE: temporaryFile(String(publicKey.export({ type: 'spki', format: 'pem' }))),
    MAX_PENDING_PER_SUBJECT: '10000',
  });
  await until(async () => (await httpRequest(service.adminPort, '/readyz')).status === 200);
});

async function signIn(authorization: string, from = '127.0.0.1'): Promise<number> {
  const options = { method: 'POST', from, headers: { Authorization: authorization } };
  return (await httpRequest(service.port, '/tickets', options)).status;
}

/** Wrong passwords from 24 addresses, two at a time, until they are stopped. */
function flood(): { readonly statuses: number[]; stop(): Promise<void> } {
  const statuses: number[] = [];
  let stopped = false;
  const loops = [...ATTACKERS, ...ATTACKERS].map(async (from, loop) => {
    for (let guess = 0; !stopped; guess += 1) {
      statuses.push(await signIn(basic(`name-${loop}-${guess}`, 'a guess'), from));
      await turn();
    }
  });
  return {
    statuses,
    async stop() {
      stopped = true;
      await Promise.all(loops);
    },
  };
}

async function rs256Ms(): Promise<number[]> {
  const durations: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const exp = Math.floor(Date.now() / 1000) + 300;
    const token = forge({ alg: 'RS256' }, { sub: `user-${sample}`, exp }, signature(privateKey));
    const begun = performance.now();
    expect(await signIn(`Bearer ${token}`)).toBe(201);
    durations.push(performance.now() - begun);
  }
  return durations;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

test('wrong passwords from 24 addresses slow down neither an RS256 login nor the right password', async () => {
  await rs256Ms(); // warms up
  const quiet: number[] = [];
  const busy: number[] = [];
  // A ratio within one run. Before the answer is no, more is measured.
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    quiet.push(...(await rs256Ms()));
    const { statuses, stop } = flood();
    await until(() => statuses.length > 0);
    busy.push(...(await rs256Ms()));
    const right = await signIn(basic('ada', "ada's own"), `127.0.2.${round + 1}`);
    await stop();

    expect(right).toBe(201);
    expect(new Set(statuses)).toEqual(new Set([401]));
    if (median(busy) <= MOST_SLOWER * median(quiet)) break;
  }

  expect(median(busy)).toBeLessThanOrEqual(MOST_SLOWER * median(quiet));
});
