import { built } from '../paths.mjs';

const IN_FLIGHT = 500;
const TICKETS_PER_SUBJECT = 10;
const HOUR_MS = 3_600_000;

/**
 * Fills the store with live tickets that are never used and outlive the run.
 *
 * @param {object} store
 * @param {number} count
 */
export async function fillTickets(store, count) {
  const { mintTicket, hashSecret } = await built('shared/ticket/ticket.js');
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
