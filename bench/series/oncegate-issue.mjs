import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SignJWT } from 'jose';
import { postRequest } from '../lib/load/exchanges.mjs';
import { WARM_UPS } from '../lib/measure/cost-experiment.mjs';
import { readMetric } from '../lib/processes/metrics.mjs';
import { startTicketService } from '../lib/processes/oncegate.mjs';
import { root } from '../lib/processes/paths.mjs';
import { ownFolder } from '../lib/processes/servers.mjs';

/** So that no round comes to the limit of a subject's unspent tickets, which is 20 by default. */
const env = { MAX_PENDING_PER_SUBJECT: '10000' };
const SUBJECTS = 200;
const NAMES_PER_ROUND = 2;

export const issue = [
  {
    id: 'oncegate-basic',
    label: 'Oncegate, Basic',
    note: 'passwords that were found right within the last 10 s',
    start: startBasic,
  },
  {
    id: 'oncegate-hs256',
    label: 'Oncegate, JWT with HS256',
    note: `tokens of ${SUBJECTS} subjects, none of them remembered; one address, of which nothing was counted`,
    start: startJwt,
  },
];

async function startBasic(context) {
  const { hashPassword } = await import(pathToFileURL(join(root, 'dist/shared/logins/password.js')).href);
  const password = randomBytes(12).toString('base64url');
  const hash = await hashPassword(password);
  const folder = ownFolder();
  const users = join(folder, 'users');
  // A name is used in one round only: what the service remembers of it is fresh there, and lasts for the round.
  const nameOf = (number) => `user-${number}`;
  // Each round may be taken twice.
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
  const tokenOf = (subject) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(secret));
  const tokens = await Promise.all(Array.from({ length: SUBJECTS }, (_, number) => tokenOf(`subject-${number}`)));
  return contestOf(service, async () => tokens.map((token) => `Bearer ${token}`));
}

async function signInOnce({ port }, authorization) {
  const { status } = await fetch(`http://127.0.0.1:${port}/tickets`, { headers: { Authorization: authorization } });
  if (status !== 200) throw new Error(`signing in was answered with ${status}`);
}

/** @param {() => Promise<string[]>} authorizations of one round, each as often as the others */
function contestOf(service, authorizations) {
  return {
    servers: [service],
    port: service.port,
    usesRedis: true,
    async exchanges(count) {
      const requests = (await authorizations()).map((Authorization) => postRequest('/tickets', {}, { Authorization }));
      return Array.from({ length: count }, (_, index) => ({ request: requests[index % requests.length], status: 201 }));
    },
    counted: () => readMetric(service, 'oncegate_tickets_issued_total'),
  };
}
