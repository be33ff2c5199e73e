import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose';
import { z } from 'zod';
import { isSubject } from '../../../shared/ticket.ts';
import { type Authentication, type Authenticator, credentialsOf } from './authenticator.ts';

export interface BearerOptions {
  /** Key of HS256 tokens. */
  readonly secret?: string | undefined;
  readonly publicKeys?: PublicKeys | undefined;
  /** The `iss` that a token must have. */
  readonly issuer?: string | undefined;
  /** The `aud` that a token must have. */
  readonly audience?: string | undefined;
}

/** Public keys, and the algorithms that they are good for: a token never chooses its own. */
export interface PublicKeys {
  readonly key: KeyObject | JWTVerifyGetKey;
  readonly algorithms: readonly string[];
}

/** A longer token is not looked at. */
const MAX_TOKEN_LENGTH = 8_192;

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const EDWARDS = ['EdDSA', 'Ed25519'];
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

const jwks = z.object({
  keys: z.array(z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) }).refine((key) => !('d' in key))).min(1),
});

/**
 * The public keys of a file: PEM (SPKI or a certificate) or a JWKS (RFC 7517 §5).
 *
 * @returns null where it is neither, or holds a private or symmetric key
 */
export function parsePublicKeys(content: string): PublicKeys | null {
  try {
    if (!content.trimStart().startsWith('{')) return parsePem(content);
    const set = jwks.parse(JSON.parse(content));
    return { key: createLocalJWKSet(set), algorithms: [...RSA, ...Object.values(CURVES), ...EDWARDS] };
  } catch {
    return null;
  }
}

function parsePem(content: string): PublicKeys | null {
  if (content.includes('PRIVATE KEY')) return null;
  const key = createPublicKey(content);
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return { key, algorithms: RSA };
    case 'ec': {
      const algorithm = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
      return algorithm === undefined ? null : { key, algorithms: [algorithm] };
    }
    case 'ed25519':
      return { key, algorithms: EDWARDS };
    default:
      return null;
  }
}

/** Bearer tokens (RFC 6750) that are JWTs: HS256 with a shared secret, or an asymmetric algorithm. */
export function createBearerAuthenticator({ secret, publicKeys, issuer, audience }: BearerOptions): Authenticator {
  const secretKey = secret === undefined ? undefined : createSecretKey(Buffer.from(secret));
  const claims: JWTVerifyOptions = {
    requiredClaims: ['sub'],
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };

  function verify(token: string) {
    // The header only says which of our own keys to try; each is held to algorithms of its own kind.
    const symmetric = decodeProtectedHeader(token).alg === 'HS256';
    if (symmetric && secretKey !== undefined) return jwtVerify(token, secretKey, { ...claims, algorithms: ['HS256'] });
    if (symmetric || publicKeys === undefined) return null;
    const options = { ...claims, algorithms: [...publicKeys.algorithms] };
    return typeof publicKeys.key === 'function'
      ? jwtVerify(token, publicKeys.key, options)
      : jwtVerify(token, publicKeys.key, options);
  }

  async function authenticateToken(token: string): Promise<Authentication> {
    if (token.length > MAX_TOKEN_LENGTH) return { kind: 'invalid' };
    try {
      const verified = await verify(token);
      if (verified === null) return { kind: 'invalid' };
      const { sub, exp } = verified.payload;
      if (typeof sub !== 'string' || !isSubject(sub)) return { kind: 'invalid' };
      const principal = { subject: sub, ...(exp !== undefined && { expiresAt: Math.floor(exp * 1000) }) };
      return { kind: 'principal', principal };
    } catch {
      return { kind: 'invalid' }; // whatever is wrong with it, the answer tells no more
    }
  }

  return {
    challenge: (invalid) => `Bearer realm="oncegate"${invalid ? ', error="invalid_token"' : ''}`,
    async authenticate(request) {
      const token = credentialsOf(request, 'bearer');
      return token === undefined ? { kind: 'none' } : authenticateToken(token);
    },
  };
}
