import { chownSync, readFileSync, statSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { parseAnswers } from '../../../support/http/http-answer.ts';
import { quickHash } from '../../../support/logins/passwords.ts';
import { CHALLENGE, NO_SECRET, type SignInAnswer, signIn } from '../../../support/logins/sign-in.ts';
import { isMissing } from '../../../support/machine/programs.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { startTcpProxy } from '../../../support/proxies/tcp-proxy.ts';
import { type SharedRedis, workerRedis } from '../../../support/redis/redis.ts';
import { oncegate } from '../../../support/services/command-line.ts';
import { type Environment, type InProcess, runTicketService } from '../../../support/services/in-process.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';

const CHALLENGES = [CHALLENGE.basic, CHALLENGE.invalidToken];

let redis: SharedRedis;

/** Adds a key with the command, and returns its value. */
async function addKey(file: string, name: string): Promise<string> {
  const { code, stdout, stderr } = await oncegate(['keys', 'add', name, '--subject', '*', '--file', file]);
  expect([code, stderr]).toEqual([0, expect.stringContaining(`Added ${name}`)]);
  return stdout.trim();
}

/** Revokes a key with the command. Returns Redis's time after the command, Unix ms. */
async function revokeKey(file: string, name: string): Promise<number> {
  expect(await oncegate(['keys', 'revoke', name, '--file', file])).toMatchObject({ code: 0, stderr: '' });
  return redisTime();
}

async function redisTime(): Promise<number> {
  const [seconds, microseconds] = await redis.client.time();
  // Rounded up, because a record of the same millisecond may be older.
  return Math.ceil(Number(seconds) * 1000 + Number(microseconds) / 1000);
}

/** Every record of a subject that is in Redis. */
async function recordsOf(subject: string): Promise<Array<Record<string, string>>> {
  const keys = await redis.client.keys('oncegate:ticket:*');
  const records = await Promise.all(keys.map((key) => redis.client.hgetall(key)));
  return records.filter((record) => record.subject === subject);
}

const start = (file: string, env: Environment = {}): Promise<InProcess> =>
  runTicketService({
    ...NO_SECRET,
    AUTH_USERS_FILE: temporaryFile(`ada:${quickHash('right')}\n`),
    AUTH_API_KEYS_FILE: file,
    REDIS_URL: redis.url,
    MAX_PENDING_PER_SUBJECT: '10000',
    LOG_LEVEL: 'info',
    ...env,
  });

describe.skipIf(isMissing('redis'))('a key that is revoked', () => {
  beforeAll(async () => {
    redis = await workerRedis();
  });

  // The counters of refused credentials are keys too.
  beforeEach(async () => {
    await redis.client.flushall();
  });

  it.each([1, 2, 3])('gets no ticket after the command has returned, while requests run (round %d)', async (round) => {
    const file = temporaryFile('');
    const subject = `subject-${round}`;
    const value = await addKey(file, 'back-end');
    const other = await addKey(file, 'other');
    const services = await Promise.all([start(file), start(file)]);
    const answers: SignInAnswer[] = [];
    let acknowledged: number | undefined;
    let revoking: Promise<unknown> = Promise.resolve();

    /** Sends requests without a pause, until five were refused after the revocation. */
    async function ask(service: InProcess): Promise<void> {
      for (let after = 0; after < 5; ) {
        const begunAfter = acknowledged !== undefined;
        const answer = await signIn(service, { Authorization: `Bearer ${value}` }, { body: { subject } });
        answers.push(answer);
        if (begunAfter) after += 1;
        // Many refusals would exceed the rate of the address.
        else if (answer.status === 401) await revoking;
      }
    }
    const asking = Promise.all([...services, ...services, ...services, ...services].map(ask));
    await until(() => answers.length > 50, { what: 'tickets are being issued' });
    revoking = revokeKey(file, 'back-end').then((time) => {
      acknowledged = time;
    });
    await revoking;
    await asking;

    const records = await recordsOf(subject);
    const issued = records.filter(({ state }) => state === 'issued');
    const late = issued.filter((record) => Number(record.issued_at) > (acknowledged ?? 0));
    expect(late).toEqual([]);
    const given = answers.filter(({ status }) => status === 201);
    expect(given.length).toBeGreaterThan(50);
    expect(issued).toHaveLength(given.length);
    expect([...new Set(answers.map(({ status }) => status))].sort()).toEqual([201, 401]);
    for (const service of services) {
      expect((await signIn(service, { Authorization: `Bearer ${other}` })).status).toBe(201);
    }
  });

  it('gets no ticket, and leaves none behind, if Redis was slow to issue it', async () => {
    const relay = await startTcpProxy(redis);
    const file = temporaryFile('');
    const value = await addKey(file, 'back-end');
    const service = await start(file, { REDIS_URL: `redis://127.0.0.1:${relay.port}` });
    const held = relay.hold('oncegate:pending:');
    const asking = signIn(service, { Authorization: `Bearer ${value}` }, { body: { subject: 'held' } });
    await held;
    const acknowledged = await revokeKey(file, 'back-end');
    relay.release();

    expect(await asking).toMatchObject({ status: 401, code: 'credentials_invalid', challenges: CHALLENGES });
    const [record, ...more] = await recordsOf('held');
    expect(more).toEqual([]);
    expect(Number(record?.issued_at)).toBeGreaterThanOrEqual(acknowledged - 1);
    expect(record?.state).toBe('revoked');
    expect(await service.metric('oncegate_tickets_issued_total')).toBe(0);
  });

  it('gets no ticket for a request whose body has not arrived yet', async () => {
    const file = temporaryFile('');
    const value = await addKey(file, 'back-end');
    const service = await start(file, { MAX_REQUESTS_PER_MINUTE_PER_SUBJECT: '1000' });
    const client = await openRaw(service.port);
    client.send(
      `POST /tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${value}\r\nContent-Length: 20\r\n\r\n{"subject":`,
    );
    const counted = { kind: 'subject', key: 'back-end', windowMs: 60_000, add: 0 } as const;
    await until(async () => (await service.store.count(counted)).count === 1, { what: 'the caller is signed in' });
    await revokeKey(file, 'back-end');
    client.send('"late"  }');
    await client.closed;
    const [response] = parseAnswers(client.received);

    expect(response?.statusLine).toBe('HTTP/1.1 401 Unauthorized');
    expect(response?.values('www-authenticate')).toEqual(CHALLENGES);
    expect(await recordsOf('late')).toEqual([]);
  });
});

test.skipIf(process.getuid?.() !== 0)('a keys file keeps its owner', async () => {
  const file = temporaryFile('');
  chownSync(file, 12_345, 23_456);
  await addKey(file, 'one');
  await addKey(file, 'two');
  expect(await oncegate(['keys', 'revoke', 'one', '--file', file])).toMatchObject({ code: 0 });

  expect(readFileSync(file, 'utf8')).not.toContain('"one"');
  expect(statSync(file)).toMatchObject({ uid: 12_345, gid: 23_456 });
});
