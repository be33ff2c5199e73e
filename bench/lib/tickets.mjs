import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { atEnd } from './cleanup.mjs';
import { root } from './paths.mjs';
import { until } from './wait.mjs';

const TTL_MS = 120_000;
const SESSION_MS = 43_200_000;
/** Each subject may have 20 unspent tickets by default. */
const TICKETS_PER_SUBJECT = 10;

const built = (path) => import(pathToFileURL(join(root, 'dist', 'shared', path)).href);

/**
 * Issues tickets through the project's own store, as many as are asked for: HTTP is no part of what is measured with
 * them.
 *
 * @param {string} redisUrl
 * @returns {Promise<{ store: object, issue: (count: number, options?: { subject?: string }) => Promise<Ticket[]>,
 *   end: () => Promise<void> }>}
 *
 * @typedef {{ id: string, value: string, subject: string }} Ticket
 */
export async function ticketIssuer(redisUrl) {
  const { RedisStore } = await built('store/redis-store.js');
  const { RedisLink } = await built('store/redis-link.js');
  const { mintTicket, formatTicket, hashSecret } = await built('ticket.js');
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

  return {
    store,
    end,
    /** Of many subjects, or of the one that is named. */
    async issue(count, { subject } = {}) {
      const tickets = [];
      while (tickets.length < count) {
        const batch = Array.from({ length: Math.min(200, count - tickets.length) }, (_, index) => {
          const number = subjects + Math.floor((tickets.length + index) / TICKETS_PER_SUBJECT);
          return issueOne(subject ?? `subject-${number}`);
        });
        tickets.push(...(await Promise.all(batch)));
      }
      subjects += Math.ceil(count / TICKETS_PER_SUBJECT);
      return tickets;
    },
  };
}
