import { SignJWT } from 'jose';

/** How many subjects the tokens of a series are of. */
export const SUBJECTS = 200;

/**
 * Signs one token for each of {@link SUBJECTS} subjects, good for an hour.
 *
 * @param {string} algorithm
 * @param {import('jose').CryptoKey | Uint8Array} key
 * @returns {Promise<string[]>}
 */
export function signTokens(algorithm, key) {
  return Promise.all(
    Array.from({ length: SUBJECTS }, (_, number) =>
      new SignJWT({})
        .setProtectedHeader({ alg: algorithm })
        .setSubject(`subject-${number}`)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(key),
    ),
  );
}
