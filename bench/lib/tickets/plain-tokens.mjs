import { randomBytes } from 'node:crypto';

const TTL_MS = 120_000;

/**
 * Stores single-use tokens as one would without Oncegate: `token:<value>` holds the subject, GETDEL spends it.
 *
 * @param {import('ioredis').Redis} client
 * @param {number} count
 */
export async function storeTokens(client, count) {
  const tokens = Array.from({ length: count }, () => randomBytes(24).toString('base64url'));
  const pipeline = client.pipeline();
  for (const [index, token] of tokens.entries()) pipeline.set(`token:${token}`, `subject-${index}`, 'PX', TTL_MS);
  await pipeline.exec();
  return tokens;
}

/** A count that rises by one for each token spent: minus the number of those left. */
export async function countSpent(client) {
  return -(await client.keys('token:*')).length;
}
