import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hashPassword } from '../../../../../shared/logins/password.ts';
import { SCRYPT_THREADS } from '../../../../../shared/logins/scrypt-threads.ts';
import { createKeys } from '../../../../../shared/store/keys.ts';
import { type HttpReply, httpRequest } from '../../../../support/http/http-request.ts';
import { basic, quickHash } from '../../../../support/logins/passwords.ts';
import { temporaryFile } from '../../../../support/machine/temporary-file.ts';
import { until } from '../../../../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../../../../support/redis/redis.ts';
import { type ServiceProcess, startService } from '../../../../support/services/services.ts';

const ATTACKER = '127.0.0.2';
const HOME = '127.0.0.1';

const LEAST_GUESSES = 200;

/** Documented with the settings: how long a name can be held up at the most. */
const LONGEST_MS = 60_000;

const keys = createKeys('oncegate:');
let redis: SharedRedis;
/** With users whose hashes cost the time of real ones, and with users whose hashes cost none. */
let costly: [ServiceProcess, ServiceProcess];
let services: [ServiceProcess, ServiceProcess];

beforeAll(async () => {
  redis = await workerRedis();
  // Real hashes: each guess costs the time of one.
  const real = ['ada', 'bob', 'carol'].map(async (name) => `${name}:${await hashPassword(`${name}'s own`)}`);
  costly = await startPair(await Promise.all(real));
  services = await startPair(['dora', 'eve'].map((name) => `${name}:${quickHash(`${name}'s own`)}`));
});

/** Two ticket services with these users. A check costs as much as that of the costliest of their hashes. */
async function startPair(users: readonly string[]): Promise<[ServiceProcess, ServiceProcess]> {
  const file = temporaryFile(`${users.join('\n')}\n`);
  const env = { REDIS_URL: redis.url, AUTH_USERS_FILE: file, MAX_PENDING_PER_SUBJECT: '10000' };
  const pair: [ServiceProcess, ServiceProcess] = [await startService('ticket', env), await startService('ticket', env)];
  for (const { adminPort } of pair) {
    await until(async () => (await httpRequest(adminPort, '/readyz')).status === 200);
  }
  return pair;
}

beforeEach(() => redis.client.flushall());

const signIn = (port: number, name: string, password: string, from: string): Promise<HttpReply> =>
  httpRequest(port, '/tickets', { method: 'POST', from, headers: { Authorization: basic(name, password) } });
const owner = (port: number, name: string, from: string): Promise<HttpReply> =>
  signIn(port, name, `${name}'s own`, from);

/** 50 guesses a second, each on its way whatever became of the one before, until told that it is enough. */
async function attack(guess: (index: number) => Promise<HttpReply>, enough: () => boolean): Promise<HttpReply[]> {
  const guesses: Array<Promise<HttpReply>> = [];
  while (guesses.length < LEAST_GUESSES || !enough()) {
    guesses.push(guess(guesses.length));
    await pause(20);
  }
  return Promise.all(guesses);
}

/** Somebody who signs in again and again: the statuses of the answers so far. */
function visitor(visit: () => Promise<HttpReply>): { readonly statuses: readonly number[]; stop(): Promise<void> } {
  const statuses: number[] = [];
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      statuses.push((await visit()).status);
      await pause(50);
    }
  })();
  return {
    statuses,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

const codesOf = (replies: readonly HttpReply[]): unknown[] => [...new Set(replies.map(({ body }) => body.code))].sort();
const countOf = async (kind: string, key: string): Promise<number> =>
  Number(await redis.client.get(keys.rate(kind, key)));

describe('50 wrong passwords a second from one address', () => {
  test.each<readonly [string, (index: number) => string]>([
    ['one name', () => 'ada'],
    ['one name that nobody has', () => 'nobody'],
    ['a name of its own for each', (index) => `nobody-${index}`],
  ])('for %s harm nobody else', async (_name, nameOf) => {
    const [{ port }] = costly;
    const visitors = [visitor(() => owner(port, 'bob', HOME)), visitor(() => owner(port, 'ada', HOME))];
    // It goes on until both have been served five times in the middle of it.
    const guesses = await attack(
      (index) => signIn(port, nameOf(index), `guess ${index}`, ATTACKER),
      () => visitors.every(({ statuses }) => statuses.length >= 5),
    );
    for (const { stop } of visitors) await stop();

    for (const { statuses } of visitors) expect(new Set(statuses)).toEqual(new Set([201]));
    expect(guesses.filter(({ status }) => status === 201)).toEqual([]);
    expect(codesOf(guesses)).not.toContain(undefined);
    for (const code of codesOf(guesses)) expect(['credentials_invalid', 'rate_limited', 'overloaded']).toContain(code);
    for (const { headers } of guesses.filter(({ status }) => status !== 401)) {
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(LONGEST_MS / 1_000);
    }
    expect((await owner(port, 'ada', HOME)).status).toBe(201);
    expect((await owner(port, 'ada', '127.0.0.3')).status).toBe(201);
  });
});

describe('guessing one name from one address', () => {
  test('is held up after ten wrong passwords, those on the way at once included', async () => {
    const guesses = await Promise.all(
      costly.flatMap(({ port }) =>
        Array.from({ length: 20 }, (_, index) => signIn(port, 'carol', `guess ${port} ${index}`, ATTACKER)),
      ),
    );

    // One service checks no more than the limit. The other may run checks when the tenth failure is counted.
    const wrong = guesses.filter(({ status }) => status === 401).length;
    expect(wrong).toBeGreaterThanOrEqual(10);
    expect(wrong).toBeLessThanOrEqual(10 + SCRYPT_THREADS);
    expect(codesOf(guesses)).toEqual(['credentials_invalid', 'rate_limited']);
  });

  test('counts for all services together, and throttles nobody else', async () => {
    for (let index = 0; index < 10; index += 1) {
      const { port } = services[index % 2 === 0 ? 0 : 1];
      expect((await signIn(port, 'dora', `guess ${index}`, ATTACKER)).status).toBe(401);
    }

    expect(await countOf('name-address', JSON.stringify(['dora', ATTACKER]))).toBe(10);
    for (const { port } of services) {
      expect((await signIn(port, 'dora', 'guess', ATTACKER)).body.code).toBe('rate_limited');
      expect((await owner(port, 'dora', HOME)).status).toBe(201);
      expect((await owner(port, 'eve', ATTACKER)).status).toBe(201);
    }
  });

  test('learns nothing about a password that its owner has just used', async () => {
    const [{ port }] = services;
    for (let index = 0; index < 10; index += 1) await signIn(port, 'dora', `guess ${index}`, ATTACKER);
    expect((await owner(port, 'dora', HOME)).status).toBe(201);

    const [right, wrong] = [await owner(port, 'dora', ATTACKER), await signIn(port, 'dora', 'guess', ATTACKER)];
    expect([right.status, right.body.code]).toEqual([429, 'rate_limited']);
    expect(right.body).toEqual(wrong.body);
  });

  test('never throttles the name everywhere', async () => {
    await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        signIn(services[index % 2 === 0 ? 0 : 1].port, 'dora', `guess ${index}`, ATTACKER),
      ),
    );

    expect(await countOf('name', 'dora')).toBe(10);
  });
});

describe('guessing one name from many addresses', () => {
  const crowd = Array.from({ length: 10 }, (_, index) => `127.0.1.${index + 1}`);
  const nameKey = keys.rate('name', 'dora');

  /** A hundred wrong passwords at both services, ten from each address. */
  async function guessAll(): Promise<void> {
    for (const [turn, from] of crowd.entries()) {
      for (let index = 0; index < 10; index += 1) {
        const { port } = services[index % 2 === 0 ? 0 : 1];
        expect((await signIn(port, 'dora', `guess ${turn} ${index}`, from)).status).toBe(401);
      }
    }
  }

  test('holds up the name for everybody, and for no longer than a minute', async () => {
    await guessAll();
    const left = await redis.client.pttl(nameKey);

    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(LONGEST_MS);
    for (const { port } of services) {
      const held = await owner(port, 'dora', HOME);
      expect([held.status, held.body.code]).toEqual([429, 'rate_limited']);
      expect(Number(held.headers['retry-after'])).toBeLessThanOrEqual(Math.ceil(left / 1_000));
      expect((await owner(port, 'eve', HOME)).status).toBe(201);
    }

    // Further guesses do not prolong it.
    for (const from of [...crowd, '127.0.2.1']) await signIn(services[0].port, 'dora', 'once more', from);
    expect(await redis.client.pttl(nameKey)).toBeLessThanOrEqual(left);
    await redis.client.pexpire(nameKey, 1);
    await until(async () => (await redis.client.exists(nameKey)) === 0);
    expect((await owner(services[0].port, 'dora', HOME)).status).toBe(201);
  });
});

describe('wrong credentials of any kind from one address', () => {
  const malformed = (port: number, from: string): Promise<HttpReply> =>
    httpRequest(port, '/tickets', { from, headers: { Authorization: 'Basic :' } });

  test('are no longer looked at after a hundred', async () => {
    for (let index = 0; index < 100; index += 1) {
      const { port } = services[index % 2 === 0 ? 0 : 1];
      expect((await malformed(port, ATTACKER)).status).toBe(401);
    }

    for (const { port } of services) {
      expect((await malformed(port, ATTACKER)).body.code).toBe('rate_limited');
      expect((await owner(port, 'eve', ATTACKER)).body.code).toBe('rate_limited');
      expect((await httpRequest(port, '/tickets', { from: ATTACKER })).body.code).toBe('credentials_missing');
      expect((await owner(port, 'eve', HOME)).status).toBe(201);
    }
    const left = await redis.client.pttl(keys.rate('failures', ATTACKER));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(LONGEST_MS);
  });
});

test('no counter in Redis names anybody', async () => {
  await signIn(services[0].port, 'dora', 'a guess', ATTACKER);
  const names = await redis.client.keys('*');

  expect(names).toHaveLength(3);
  for (const name of names) {
    expect(name).toMatch(/^oncegate:rate:(?:failures|name|name-address):[A-Za-z0-9_-]{43}$/);
    expect(await redis.client.get(name)).toBe('1');
    expect(await redis.client.pttl(name)).toBeGreaterThan(0);
  }
});
