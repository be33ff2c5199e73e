import { createPublicKey } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import { z } from 'zod';
import type { TokenVerifier } from '../authenticator.ts';
import { type JwtRules, type KeySource, verifyJwt } from './jwt.ts';
import { isUsableKey } from './jwt-signature.ts';
import { keysFor } from './key-set.ts';

const jwks = z.object({
  keys: z.array(z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) }).refine((key) => !('d' in key))).min(1),
});

/**
 * The public keys of a file: PEM (SPKI or a certificate) or a JWKS (RFC 7517 §5).
 *
 * @returns null if it is neither, or if it contains a private or symmetric key
 */
export function parsePublicKeys(content: string): KeySource | null {
  try {
    if (!content.trimStart().startsWith('{')) return parsePem(content);
    const set = createLocalJWKSet(jwks.parse(JSON.parse(content)));
    return (header) => keysFor(header, set);
  } catch {
    return null;
  }
}

function parsePem(content: string): KeySource | null {
  if (content.includes('PRIVATE KEY')) return null;
  const key = createPublicKey(content);
  return isUsableKey(key) ? async () => [key] : null;
}

/** JWTs that are signed with a key of a file, by an asymmetric algorithm. */
export function createPublicKeyVerifier(keys: KeySource, rules: JwtRules): TokenVerifier {
  return { verify: (token) => verifyJwt(token, keys, rules) };
}
