import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { consumeRequest } from '../load/consume-request.mjs';
import { atEnd } from '../processes/cleanup.mjs';
import { root } from '../processes/paths.mjs';
import { until } from '../processes/wait.mjs';

const TTL_MS = 120_000;
const SESSION_MS = 43_200_000;
/** Each subject may have 20 unspent tickets by default. */
const TICKETS_PER_SUBJECT = 10;
const SECRET_LENGTH = 32;

const built = (path) => import(pathToFileURL(join(root, 'dist', 'shared', path)).href);

/**
 * Issues tickets through the project's own store, as many as are asked for: HTTP is no part of what is measured with
 * them.
 *
 * @param {string} redisUrl
 * @returns {Promise<{ store: object, issue: (count: number, options?: { subject?: string }) => Promise<Ticket[]>,
 *   spend: (count: number) => Promise<Ticket[]>, end: () => Promise<void> }>}
 *
 * @typedef {{ id: string, value: string, subject: string }} Ticket
 */
export async function ticketIssuer(redisUrl) {
  const { RedisStore } = await built('store/redis/redis-store.js');
  const { RedisLink } = await built('store/redis/redis-link.js');
  const { mintTicket, mintAttemptId, formatTicket, hashSecret } = await built('ticket.js');
  const link = new RedisLink({ address: { kind: 'single', url: redisUrl }, timeoutMs: 10_000 });
  const store = new RedisStore({ link, keyPrefix: 'oncegate:', retentionMs: 600_000, leaseMs: 90_000 });
  const end = atEnd(() => store.end());
  await until(() => store.ready, { what: 'the store is ready' });
  let subjects = 0;

  async function issueOne(subject) {
    const ticket = mintTicket(subject);
    const { code } = await store.issue({
      id: ticket.id,
      secretSha256: hashSecret(ticket.secret),
      subject,
      ttlMs: TTL_MS,
      maxSessionMs: SESSION_MS,
      maxPending: 1_000_000,
    });
    if (code !== 'issued') throw new Error(`a ticket of the bench was not issued: ${code}`);
    return { id: ticket.id, value: formatTicket(ticket), subject };
  }

  async function spendOne(ticket) {
    const secretSha256 = hashSecret(ticket.value.slice(-SECRET_LENGTH));
    const { code } = await store.consume(consumeRequest({ id: ticket.id, secretSha256, attemptId: mintAttemptId() }));
    if (code !== 'admitted') throw new Error(`a ticket of the bench was not consumed: ${code}`);
    return ticket;
  }

  /** Of many subjects, or of the one that is named. */
  async function issue(count, { subject } = {}) {
    const first = subjects;
    subjects += Math.ceil(count / TICKETS_PER_SUBJECT);
    const nameOf = (index) => subject ?? `subject-${first + Math.floor(index / TICKETS_PER_SUBJECT)}`;
    return inBatches(count, (index) => issueOne(nameOf(index)));
  }

  /** Tickets that are spent already. */
  async function spend(count) {
    const tickets = await issue(count);
    return inBatches(count, (index) => spendOne(tickets[index]));
  }

  return { store, end, issue, spend };
}

/** So many at a time that Redis is busy, and so few that none waits for long. */
async function inBatches(count, task) {
  const results = [];
  while (results.length < count) {
    const from = results.length;
    const batch = Array.from({ length: Math.min(200, count - from) }, (_, index) => task(from + index));
    results.push(...(await Promise.all(batch)));
  }
  return results;
}
