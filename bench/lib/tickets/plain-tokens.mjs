import { randomBytes } from 'node:crypto';

const TTL_MS = 120_000;

/**
 * Single-use tokens as one would write them without Oncegate: `token:<value>` holds the subject, GETDEL spends it.
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

/** How many of them have been spent, less however many there were. */
export async function countSpent(client) {
  return -(await client.keys('token:*')).length;
}
