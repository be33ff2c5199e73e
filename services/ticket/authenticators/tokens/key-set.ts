import { KeyObject, type webcrypto } from 'node:crypto';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTHeaderParameters, type JWTVerifyGetKey } from 'jose';

/** Attack: a set may have a thousand keys, and each may have to be tried. */
const MAX_KEYS = 16;

/** Looks keys up in a JWKS (RFC 7517 §5), by the rules of jose. */
export type KeySet = JWTVerifyGetKey & { jwks(): JSONWebKeySet | undefined };

/**
 * The keys of a set that may have signed a token, 16 at most. Several fit if they have no `kid`, or the same: then
 * each has to be tried (RFC 7515 appendix D). Keys without a `kid` fit tokens with one that no key has.
 *
 * @throws what jose throws if no key fits, or if the set is malformed or unavailable
 */
export async function keysFor(header: JWTHeaderParameters, set: KeySet): Promise<KeyObject[]> {
  try {
    return await matching(header, set);
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey) || typeof header.kid !== 'string') throw error;
    const keys = set.jwks()?.keys.filter(({ kid }) => kid === undefined) ?? [];
    const { kid: _, ...nameless } = header;
    return matching(nameless, createLocalJWKSet({ keys }));
  }
}

async function matching(header: JWTHeaderParameters, find: JWTVerifyGetKey): Promise<KeyObject[]> {
  // jose looks at the header alone.
  const token = { payload: '', signature: '' };
  const keys: KeyObject[] = [];
  try {
    keys.push(asKeyObject(await find(header, token)));
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error) {
      keys.push(asKeyObject(key));
      if (keys.length === MAX_KEYS) break;
    }
  }
  return keys;
}

function asKeyObject(key: Awaited<ReturnType<JWTVerifyGetKey>>): KeyObject {
  return KeyObject.from(key as webcrypto.CryptoKey); // a set of public keys imports nothing else
}
