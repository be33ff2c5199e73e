import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { hashPassword } from '../../shared/logins/password.ts';
import { isMissing } from '../support/machine/programs.ts';
import { temporaryDirectory } from '../support/machine/temporary-file.ts';
import { until } from '../support/machine/wait.ts';
import { startRedis } from '../support/redis/redis.ts';
import { dumpRedis, watchCommands } from '../support/redis/redis-dump.ts';
import { handshakesByOutcome } from '../support/services/fleet.ts';
import { type Fleet, issueTicket, type ServiceProcess, startFleet } from '../support/services/services.ts';
import { BusyRun, PASSWORD } from './busy-run.ts';

const REDIS_PASSWORD = 'tr0ub4dor-of-redis';

/** What is searched, by name. */
type Haystacks = ReadonlyMap<string, string>;

/** Which of the secrets are in which haystacks. */
function leaksIn(haystacks: Haystacks, secrets: ReadonlyMap<string, string>): string[] {
  return [...haystacks].flatMap(([place, text]) =>
    [...secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => `${name} is in ${place}`),
  );
}

describe.skipIf(isMissing('redis'))('a fleet that had a busy day at the log level trace', () => {
  let fleet: Fleet;
  let services: readonly ServiceProcess[];
  let run: BusyRun;
  let outcomes: Record<string, number>;
  const haystacks = new Map<string, string>();

  beforeAll(async () => {
    const redis = await startRedis({ args: ['--requirepass', REDIS_PASSWORD], password: REDIS_PASSWORD });
    const commands = await watchCommands(redis);
    const redisUrl = `redis://:${REDIS_PASSWORD}@${redis.host}:${redis.port}`;
    fleet = await startBusyFleet(redisUrl);
    services = [fleet.ticket, ...fleet.gateways];
    run = new BusyRun(fleet);
    run.secrets.set('password of Redis', REDIS_PASSWORD);
    run.secrets.set('REDIS_URL', redisUrl);

    await run.everything();
    await redis.pause();
    await run.askInVain();
    redis.resume();
    await until(() => run.issue('late', 'jwt'), { what: 'a ticket is issued again' });
    haystacks.set('Redis', await dumpRedis(redis));
    haystacks.set('the commands to Redis', commands.text());
    commands.end();
    outcomes = await handshakesByOutcome(fleet.gateways);

    await redis.kill();
    await run.askInVain();
    for (const service of services) haystacks.set(`the metrics of ${service.pid}`, await metricsOf(service));
    for (const service of services) service.signal('SIGTERM');
    await Promise.all(services.map(({ exited }) => exited));
    for (const service of services) haystacks.set(`the output of ${service.pid}`, service.output());
  });

  test('has met every refusal that a client can bring about', () => {
    expect(Object.keys(outcomes)).toEqual(
      expect.arrayContaining([
        ...['admitted', 'handshake_malformed', 'upgrade_required', 'method_not_allowed', 'origin_refused'],
        ...['ticket_missing', 'ticket_malformed', 'ticket_unknown', 'ticket_consumed', 'ticket_revoked'],
        ...['audience_refused', 'path_refused', 'connection_limit', 'store_unavailable'],
      ]),
    );
    const requests = haystacks.get(`the metrics of ${fleet.ticket.pid}`) ?? '';
    for (const code of [
      ...['credentials_missing', 'credentials_invalid', 'subject_refused', 'request_malformed', 'request_invalid'],
      ...['payload_too_large', 'not_found', 'method_not_allowed', 'pending_limit', 'store_unavailable'],
    ]) {
      expect(requests).toMatch(new RegExp(`^oncegate_requests_refused_total\\{code="${code}"\\} [1-9]`, 'm'));
    }
    const events = services.flatMap(({ log }) => log.map(({ event }) => event));
    expect(events).toEqual(expect.arrayContaining(['issue', 'refusal', 'open', 'close', 'revoke', 'replay', 'renew']));
    expect(run.secrets.size).toBeGreaterThan(100);
  });

  test('has kept no ticket, password, credentials or key in any log, metric, record or command', () => {
    for (const [place, text] of haystacks) expect(text.length, place).toBeGreaterThan(1_000);
    expect(leaksIn(haystacks, run.secrets)).toStrictEqual([]);
  });

  test('has drained to its end although Redis was gone', async () => {
    expect(await Promise.all(services.map(({ exited }) => exited))).toStrictEqual([0, 0, 0]);
  });

  test('would be found out: a secret that is put into all of these places is found in each', async () => {
    const planted = 'a-secret-that-became-the-id-of-a-gateway';
    const redis = await startRedis();
    const commands = await watchCommands(redis);
    const { ticket, gateways } = await startFleet({ redisUrl: redis.url, env: { GATEWAY_ID: planted } });
    await issueTicket(ticket, 'ada', { claims: { planted } });
    const places = new Map([
      ['the output', gateways[0]?.output() ?? ''],
      ['Redis', await dumpRedis(redis)],
      ['the commands to Redis', commands.text()],
      ['the metrics', `${await metricsOf(ticket)}${planted}`],
    ]);
    commands.end();

    expect(leaksIn(places, new Map([['it', planted]]))).toStrictEqual(
      [...places.keys()].map((place) => `it is in ${place}`),
    );
  });
});

/** Two gateways for the audience `chat`, and a ticket service that knows ada by password and anybody by JWT. */
async function startBusyFleet(redisUrl: string): Promise<Fleet> {
  const scratch = temporaryDirectory();
  const usersFile = join(scratch, 'users');
  writeFileSync(usersFile, `ada:${await hashPassword(PASSWORD)}\n`);
  const env = {
    AUTH_USERS_FILE: usersFile,
    LOG_LEVEL: 'trace',
    GATEWAY_AUDIENCE: 'chat',
    MAX_CONNECTIONS_PER_SUBJECT: '4',
    LEASE_SECONDS: '2',
    HEARTBEAT_SECONDS: '1',
    DRAIN_SECONDS: '1',
    REDIS_TIMEOUT_MS: '1000',
  };
  return startFleet({ redisUrl, gateways: 2, env });
}

async function metricsOf({ adminPort }: ServiceProcess): Promise<string> {
  return (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
}
