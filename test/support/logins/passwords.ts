import { randomBytes, scryptSync } from 'node:crypto';

/** A hash as `oncegate users add` makes it, but cheap to compute. */
export function quickHash(password: string): string {
  return scryptHash(password, { ln: 4, r: 1, p: 1 });
}

/** A hash of any cost and length. */
export function scryptHash(password: string, { ln, r, p, bytes = 32 }: Cost): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password.normalize('NFKC'), salt, bytes, { N: 2 ** ln, r, p });
  const text = (part: Buffer): string => part.toString('base64').replace(/=+$/, '');
  return `$scrypt$ln=${ln},r=${r},p=${p}$${text(salt)}$${text(hash)}`;
}

interface Cost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly bytes?: number;
}

/** An `Authorization` header of HTTP Basic. */
export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}
