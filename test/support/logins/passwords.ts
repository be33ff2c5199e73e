import { randomBytes, scryptSync } from 'node:crypto';

/** A hash as `oncegate users add` makes it, but cheap to compute. */
export function quickHash(password: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password.normalize('NFKC'), salt, 32, { N: 2 ** 4, r: 1, p: 1 });
  const text = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
  return `$scrypt$ln=4,r=1,p=1$${text(salt)}$${text(hash)}`;
}

/** An `Authorization` header of HTTP Basic. */
export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}
