import { randomBytes, type ScryptOptions, timingSafeEqual } from 'node:crypto';
import { scryptOnThread } from './scrypt-threads.ts';

/**
 * Passwords as scrypt hashes in PHC string format:
 * `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`, salt and hash in base64 without padding.
 */

interface ScryptCost {
  /** log2 of the cost N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface ScryptHash extends ScryptCost {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** OWASP Password Storage Cheat Sheet: N=2^15, r=8, p=3 costs an attacker as much as N=2^17, in 32 MiB. */
const COST = { ln: 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What 86 characters of base64 hold. */
const MAX_HASH_BYTES = 64;

/** No hash may cost more memory than this, whatever its parameters say. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** The parts of a PHC string; null if it is not a scrypt hash with parameters that are accepted. */
export function parsePasswordHash(text: string): ScryptHash | null {
  const match = PHC.exec(text);
  if (match === null) return null;
  const [, ln, r, p, salt = '', hash = ''] = match;
  const parsed = {
    ln: Number(ln),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  };
  const sane = parsed.ln >= 1 && parsed.r >= 1 && parsed.p >= 1;
  return sane && memoryOf(parsed) <= MAX_MEMORY_BYTES ? parsed : null;
}

/** The hash of a password, with a new salt. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, { ...COST, salt }, HASH_BYTES);
  const { ln, r, p } = COST;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Whether a password has this hash; compared in constant time. */
export async function passwordMatches(password: string, expected: ScryptHash): Promise<boolean> {
  // Always as many bytes, so that the length of the hash costs nothing: a shorter key is the begin of a longer one.
  const derived = await derive(password, expected, MAX_HASH_BYTES);
  return timingSafeEqual(derived.subarray(0, expected.hash.length), expected.hash);
}

/** A hash that no password has, of the cost of another one. */
export function decoyHash({ ln, r, p }: ScryptCost = COST): ScryptHash {
  return { ln, r, p, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
}

/** The cost of a hash as text, the same for hashes that take the same work. */
export function costOf({ ln, r, p }: ScryptCost): string {
  return `ln=${ln},r=${r},p=${p}`;
}

function memoryOf({ ln, r, p }: ScryptCost): number {
  return 128 * r * (2 ** ln + p);
}

function derive(password: string, cost: Omit<ScryptHash, 'hash'>, length: number): Promise<Buffer> {
  const options: ScryptOptions = { N: 2 ** cost.ln, r: cost.r, p: cost.p, maxmem: 2 * memoryOf(cost) };
  return scryptOnThread({ password: password.normalize('NFKC'), salt: cost.salt, length, options });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
