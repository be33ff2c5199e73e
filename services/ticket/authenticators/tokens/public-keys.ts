import { createPublicKey, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { TokenVerifier } from '../authenticator.ts';
import {
  ASYMMETRIC_ALGORITHMS,
  EC_ALGORITHMS,
  EDWARDS_ALGORITHMS,
  type JwtRules,
  peekJwt,
  RSA_ALGORITHMS,
  verifyJwt,
} from './jwt.ts';

/** Public keys, and the algorithms that they verify. */
export interface PublicKeys {
  readonly key: KeyObject | JWTVerifyGetKey;
  readonly algorithms: readonly string[];
}

const jwks = z.object({
  keys: z.array(z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) }).refine((key) => !('d' in key))).min(1),
});

/**
 * The public keys of a file: PEM (SPKI or a certificate) or a JWKS (RFC 7517 §5).
 *
 * @returns null if it is neither, or if it contains a private or symmetric key
 */
export function parsePublicKeys(content: string): PublicKeys | null {
  try {
    if (!content.trimStart().startsWith('{')) return parsePem(content);
    return { key: createLocalJWKSet(jwks.parse(JSON.parse(content))), algorithms: ASYMMETRIC_ALGORITHMS };
  } catch {
    return null;
  }
}

function parsePem(content: string): PublicKeys | null {
  if (content.includes('PRIVATE KEY')) return null;
  const key = createPublicKey(content);
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return { key, algorithms: RSA_ALGORITHMS };
    case 'ec': {
      const algorithm = EC_ALGORITHMS[key.asymmetricKeyDetails?.namedCurve ?? ''];
      return algorithm === undefined ? null : { key, algorithms: [algorithm] };
    }
    case 'ed25519':
      return { key, algorithms: EDWARDS_ALGORITHMS };
    default:
      return null;
  }
}

/** JWTs that are signed with a key of a file, by an asymmetric algorithm. */
export function createPublicKeyVerifier({ key, algorithms }: PublicKeys, rules: JwtRules): TokenVerifier {
  return {
    async verify(token) {
      const alg = peekJwt(token)?.header.alg;
      const ours = typeof alg === 'string' && ASYMMETRIC_ALGORITHMS.includes(alg);
      return ours ? verifyJwt(token, key, algorithms, rules) : { kind: 'none' };
    },
  };
}
