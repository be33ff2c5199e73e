import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../processes/paths.mjs';

const IN_FLIGHT = 500;
const TICKETS_PER_SUBJECT = 10;
const HOUR_MS = 3_600_000;

/**
 * Issues tickets that nobody will use, by the store's own script: live ones, for longer than a run takes.
 *
 * @param {object} store
 * @param {number} count
 */
export async function fillTickets(store, count) {
  const { mintTicket, hashSecret } = await import(pathToFileURL(join(root, 'dist', 'shared', 'ticket.js')).href);
  let next = 0;
  async function issueOneAfterAnother() {
    while (next < count) {
      const subject = `bystander-${Math.floor(next++ / TICKETS_PER_SUBJECT)}`;
      const { id, secret } = mintTicket(subject);
      const secretSha256 = hashSecret(secret);
      const limits = { ttlMs: HOUR_MS, maxSessionMs: HOUR_MS, maxPending: TICKETS_PER_SUBJECT + 1 };
      const { code } = await store.issue({ id, secretSha256, subject, ...limits });
      if (code !== 'issued') throw new Error(`a ticket of the bench was not issued: ${code}`);
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, issueOneAfterAnother));
}
