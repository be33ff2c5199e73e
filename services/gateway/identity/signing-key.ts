import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';
import type { Rule } from '../../../shared/settings/load.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import type { SigningKey } from './identity.ts';

/** A signing key, and the public key set for those who verify its signatures (RFC 7517 §5). */
export interface PublishedKey extends SigningKey {
  readonly keySet: { readonly keys: readonly JWK[] };
}

/** The key to sign identities with; undefined if none is configured. */
export async function readSigningKey({ identityJwtKeyFile }: Settings): Promise<PublishedKey | undefined> {
  if (identityJwtKeyFile === undefined) return undefined;
  const found = parseKey(identityJwtKeyFile.content);
  if (found === undefined) throw new Error('IDENTITY_JWT_KEY_FILE was not checked before the start');
  const jwk = await exportJWK(createPublicKey(found.key));
  const keyId = await calculateJwkThumbprint(jwk);
  return { ...found, keyId, keySet: { keys: [{ ...jwk, kid: keyId, alg: found.algorithm, use: 'sig' }] } };
}

/** Checks that the file holds a key that can sign. */
export const signingKeyRule: Rule = ({ identityJwtKeyFile }) =>
  identityJwtKeyFile !== undefined && parseKey(identityJwtKeyFile.content) === undefined
    ? [
        'IDENTITY_JWT_KEY_FILE: must be a PEM private key without a passphrase: Ed25519, EC P-256, or RSA of 2048 bits or more',
      ]
    : [];

function parseKey(pem: string): { key: KeyObject; algorithm: string } | undefined {
  try {
    const key = createPrivateKey(pem);
    const algorithm = algorithmOf(key);
    return algorithm === undefined ? undefined : { key, algorithm };
  } catch {
    return undefined;
  }
}

/** The algorithm for a kind of key (RFC 7518 §3.1, RFC 8037 §3.1); undefined for a key that is not accepted. */
function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string | undefined {
  if (type === 'ed25519') return 'EdDSA';
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'ES256';
  if (type === 'rsa' && Number(details?.modulusLength) >= 2048) return 'PS256';
  return undefined;
}
