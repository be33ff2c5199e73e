import { built } from '../paths.mjs';
import { atEnd } from '../processes/cleanup.mjs';
import { until } from '../processes/wait.mjs';
import { consumeRequest } from './consume-request.mjs';

const TTL_MS = 120_000;
const SESSION_MS = 43_200_000;
/** Below the default limit of 20 unspent tickets for each subject. */
const TICKETS_PER_SUBJECT = 10;
const SECRET_LENGTH = 32;

/**
 * Issues tickets through the project's own store. Where these are used, the HTTP request for a ticket is not measured.
 *
 * @param {string} redisUrl
 * @returns {Promise<{ store: object, issue: (count: number, options?: { subject?: string }) => Promise<Ticket[]>,
 *   spend: (count: number) => Promise<Ticket[]>, end: () => Promise<void> }>}
 *
 * @typedef {{ id: string, value: string, subject: string }} Ticket
 */
export async function ticketIssuer(redisUrl) {
  const { RedisStore } = await built('shared/store/redis/redis-store.js');
  const { RedisLink } = await built('shared/store/redis/redis-link.js');
  const { mintTicket, mintAttemptId, formatTicket, hashSecret } = await built('shared/ticket/ticket.js');
  const link = new RedisLink({ address: { kind: 'single', url: redisUrl }, timeoutMs: 10_000 });
  const store = new RedisStore({
    link,
    keyPrefix: 'oncegate:',
    retentionMs: 600_000,
    leaseMs: 90_000,
    historyPerSubject: 1_000,
  });
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

  /** Issues tickets for many subjects, or for the one that is named. */
  async function issue(count, { subject } = {}) {
    const first = subjects;
    subjects += Math.ceil(count / TICKETS_PER_SUBJECT);
    const nameOf = (index) => subject ?? `subject-${first + Math.floor(index / TICKETS_PER_SUBJECT)}`;
    return inBatches(count, (index) => issueOne(nameOf(index)));
  }

  /** Issues tickets and consumes them. */
  async function spend(count) {
    const tickets = await issue(count);
    return inBatches(count, (index) => spendOne(tickets[index]));
  }

  return { store, end, issue, spend };
}

/** Enough at a time to keep Redis busy, and few enough that none times out. */
const BATCH = 200;

async function inBatches(count, task) {
  const results = [];
  while (results.length < count) {
    const from = results.length;
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => task(from + index));
    results.push(...(await Promise.all(batch)));
  }
  return results;
}
