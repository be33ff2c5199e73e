import type { Network } from '../../../../shared/http/address.ts';
import { SCRYPT_THREADS } from '../../../../shared/logins/scrypt-threads.ts';
import type { Users } from '../../../../shared/logins/users-file.ts';
import { utf8Text } from '../../../../shared/utf8.ts';
import { FairQueue } from '../../limits/fair-queue.ts';
import { reserve, secondsUntilPlace } from '../../limits/reservation.ts';
import { type Authentication, type Authenticator, credentialsOf, isFailure, OVERLOADED } from '../authenticator.ts';
import type { NameThrottle } from './name-throttle.ts';
import { UserPasswords } from './user-passwords.ts';
import { VerifiedPasswords } from './verified-passwords.ts';

export interface BasicOptions {
  readonly users: Users;
  readonly throttle: NameThrottle;
}

/** Checks that wait, for all networks together. */
const MAX_WAITING = 128;

/** Checks of one network that run or wait. */
const MAX_PER_NETWORK = 32;

/** HTTP Basic (RFC 7617) against the users of a file. */
export function createBasicAuthenticator({ users, throttle }: BasicOptions): Authenticator {
  const passwords = new UserPasswords(users);
  const verified = new VerifiedPasswords();
  const queue = new FairQueue({ running: SCRYPT_THREADS, waiting: MAX_WAITING, perNetwork: MAX_PER_NETWORK });

  async function check({ name, password }: UserPass, from: Network): Promise<Authentication> {
    // Race: checks that were queued before this one may have reached the limit.
    const reserved = await reserve(throttle.of(name, from));
    if (!reserved.ok) return throttled(reserved.resetSeconds);
    const { place } = reserved;
    try {
      if (await passwords.match(name, password)) return principalOf(name);
      await place.fail();
      return { kind: 'invalid', reason: 'the name or the password is wrong' };
    } finally {
      place.free();
    }
  }

  return {
    challenge: () => 'Basic realm="oncegate", charset="UTF-8"',

    async authenticate(request, from) {
      const encoded = credentialsOf(request, 'basic');
      if (encoded === undefined) return { kind: 'none' };
      const userPass = decodeUserPass(encoded);
      if (userPass === null) return { kind: 'invalid', reason: 'not name and password in Base64 and UTF-8 (RFC 7617)' };
      const { name, password } = userPass;
      const hash = users.get(name);
      // Attack: asked before the cache, or a throttled caller could still guess the password that was just used.
      const seconds = await secondsUntilPlace(throttle.of(name, from));
      if (seconds !== undefined) return throttled(seconds);
      const known = verified.find(name, password, hash);
      if (known !== undefined && (await known)) return principalOf(name);

      const checked = queue.run(from, () => check(userPass, from), isFailure);
      const right = checked.then((found) => found?.kind === 'principal');
      await verified.add(name, password, hash, right);
      return (await checked) ?? OVERLOADED;
    },
  };
}

interface UserPass {
  readonly name: string;
  readonly password: string;
}

function throttled(retryAfterSeconds: number): Authentication {
  return { kind: 'unavailable', code: 'rate_limited', reason: 'too many failed sign-ins', retryAfterSeconds };
}

function principalOf(name: string): Authentication {
  return { kind: 'principal', principal: { subject: name } };
}

function decodeUserPass(encoded: string): UserPass | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return null;
  const text = utf8Text(Buffer.from(encoded, 'base64'));
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon < 1) return null;
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
