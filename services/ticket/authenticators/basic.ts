import { decoyHash, parsePasswordHash, passwordMatches } from '../../../shared/password.ts';
import type { Users } from '../../../shared/users-file.ts';
import { type Authenticator, credentialsOf } from './authenticator.ts';
import { VerifiedPasswords } from './verified-passwords.ts';

/** Passwords that are being checked at once; each takes a core for a good part of a second. */
const MAX_CHECKS = 32;

/** HTTP Basic (RFC 7617) against the users of a file. */
export function createBasicAuthenticator(users: Users): Authenticator {
  const decoy = decoyHash();
  const verified = new VerifiedPasswords();
  let checks = 0;

  async function check(password: string, hash: string | undefined): Promise<boolean> {
    checks += 1;
    try {
      const expected = hash === undefined ? null : parsePasswordHash(hash);
      // An unknown name costs as much as a known one: response times give no names away.
      const matches = await passwordMatches(password, expected ?? decoy);
      return expected !== null && matches;
    } finally {
      checks -= 1;
    }
  }

  return {
    challenge: () => 'Basic realm="oncegate", charset="UTF-8"',

    async authenticate(request) {
      const encoded = credentialsOf(request, 'basic');
      if (encoded === undefined) return { kind: 'none' };
      const userPass = decodeUserPass(encoded);
      if (userPass === null) return { kind: 'invalid' };
      const { name, password } = userPass;
      const hash = users.get(name);
      const known = verified.find(name, password, hash);
      if (known === undefined && checks >= MAX_CHECKS) return { kind: 'unavailable', code: 'overloaded' };
      const valid = await (known ?? verified.remember(name, password, hash, check(password, hash)));
      return valid ? { kind: 'principal', principal: { subject: name } } : { kind: 'invalid' };
    },
  };
}

function decodeUserPass(encoded: string): { name: string; password: string } | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return null;
  const bytes = Buffer.from(encoded, 'base64');
  const text = bytes.toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1 || !Buffer.from(text, 'utf8').equals(bytes)) return null;
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
