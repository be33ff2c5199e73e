import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cycle, postRequest } from '../lib/load/exchanges.mjs';
import { WARM_UPS } from '../lib/measure/cost-experiment.mjs';
import { built } from '../lib/paths.mjs';
import { temporaryFolder } from '../lib/processes/cleanup.mjs';
import { readMetric } from '../lib/processes/metrics.mjs';
import { startTicketService } from '../lib/processes/oncegate.mjs';
import { SUBJECTS, signTokens } from '../lib/tickets/jwts.mjs';

/** No round may reach the limit of a subject's unspent tickets, which is 20 by default. */
const env = { MAX_PENDING_PER_SUBJECT: '10000' };
const NAMES_PER_ROUND = 2;

export const issue = [
  {
    id: 'oncegate-basic',
    label: 'Oncegate, Basic',
    note: 'passwords verified within the last 10 s',
    start: startBasic,
  },
  {
    id: 'oncegate-hs256',
    label: 'Oncegate, JWT with HS256',
    note: `tokens of ${SUBJECTS} subjects, none of them cached; one address, without failures so far`,
    start: startJwt,
  },
];

async function startBasic(context) {
  const { hashPassword } = await built('shared/logins/password.js');
  const password = randomBytes(12).toString('base64url');
  const hash = await hashPassword(password);
  const folder = temporaryFolder();
  const users = join(folder.path, 'users');
  // A name is used in one round only, so the service verifies it once for that round.
  const nameOf = (number) => `user-${number}`;
  // Each round may be repeated once.
  const names = (context.rounds + WARM_UPS) * 2 * NAMES_PER_ROUND;
  writeFileSync(users, Array.from({ length: names }, (_, number) => `${nameOf(number)}:${hash}\n`).join(''));
  const service = await startTicketService({
    redisUrl: context.redis.url,
    env: { ...env, AUTH_USERS_FILE: users },
    folder,
  });
  let used = 0;
  return contestOf(service, async () => {
    const headers = Array.from({ length: NAMES_PER_ROUND }, () => {
      const credentials = Buffer.from(`${nameOf(used++)}:${password}`).toString('base64');
      return `Basic ${credentials}`;
    });
    for (const header of headers) await signInOnce(service, header);
    return headers;
  });
}

async function startJwt(context) {
  const secret = randomBytes(32).toString('base64url');
  const service = await startTicketService({ redisUrl: context.redis.url, env: { ...env, AUTH_JWT_SECRET: secret } });
  const tokens = await signTokens('HS256', new TextEncoder().encode(secret));
  return contestOf(service, async () => tokens.map((token) => `Bearer ${token}`));
}

async function signInOnce({ port }, authorization) {
  const { status } = await fetch(`http://127.0.0.1:${port}/tickets`, { headers: { Authorization: authorization } });
  if (status !== 200) throw new Error(`signing in was answered with ${status}`);
}

/** @param {() => Promise<string[]>} authorizations the headers of one round, used equally often */
function contestOf(service, authorizations) {
  return {
    servers: [service],
    port: service.port,
    usesRedis: true,
    async exchanges(count) {
      const requests = (await authorizations()).map((Authorization) => postRequest('/tickets', {}, { Authorization }));
      return cycle(requests, count).map((request) => ({ request, status: 201 }));
    },
    counted: () => readMetric(service, 'oncegate_tickets_issued_total'),
  };
}
