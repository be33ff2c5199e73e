import { constants, createHmac, type KeyObject, sign } from 'node:crypto';

/** Makes the third part of a token from the first two, joined by a dot. */
export type Signer = (input: string) => Buffer;

export const unsigned: Signer = () => Buffer.alloc(0);

export function hmac(key: string | Buffer, hash = 'sha256'): Signer {
  return (input) => createHmac(hash, key).update(input).digest();
}

/** Signs with ES256 (RFC 7518 §3.4), or with another key's algorithm over SHA-256. */
export function signature(key: KeyObject): Signer {
  return (input) => sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
}

/** Signs as an algorithm of RFC 7518 §3 or RFC 8037 says, also with a key that does not fit it. */
export function signer(alg: string, key: KeyObject): Signer {
  const hash = key.asymmetricKeyType?.startsWith('ed') ? null : `sha${alg.slice(2)}`;
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return (input) =>
    sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363', ...(alg.startsWith('PS') && pss) });
}

/** Builds a JWT from any header and payload, given as objects or as JSON text, and any signer. */
export function forge(header: object | string, payload: object | string, signer: Signer): string {
  const input = [header, payload]
    .map((part) => encode(typeof part === 'string' ? part : JSON.stringify(part)))
    .join('.');
  return `${input}.${signer(input).toString('base64url')}`;
}

export function encode(text: string | Buffer): string {
  return Buffer.from(text).toString('base64url');
}
