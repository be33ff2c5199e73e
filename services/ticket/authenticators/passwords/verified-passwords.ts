import { createHmac, randomBytes } from 'node:crypto';
import { setBounded } from '../../limits/bounded-map.ts';

const KEPT_MS = 10_000;
const MAX_ENTRIES = 1_000;

/**
 * A cache of passwords that were just found right, so that a client that asks for many tickets costs one
 * scrypt and not one for each. An entry's key is an HMAC, under a key of this process, of name, password
 * and stored hash. So nothing can be stolen, and a new hash invalidates the entry. A wrong password is not
 * cached, but equal ones that arrive together are checked once.
 */
export class VerifiedPasswords {
  readonly #key = randomBytes(32);
  readonly #entries = new Map<string, { readonly result: Promise<boolean>; readonly until: number }>();

  /** The result of a check that has ended or is running; undefined if there is none. */
  find(name: string, password: string, hash: string | undefined): Promise<boolean> | undefined {
    const entry = this.#entries.get(this.#digest(name, password, hash));
    return entry !== undefined && performance.now() < entry.until ? entry.result : undefined;
  }

  /** Adds a check. Its entry is removed if the password turns out to be wrong. */
  add(name: string, password: string, hash: string | undefined, result: Promise<boolean>): Promise<boolean> {
    const digest = this.#digest(name, password, hash);
    setBounded(this.#entries, digest, { result, until: performance.now() + KEPT_MS }, MAX_ENTRIES);
    const forget = (): boolean => this.#entries.delete(digest);
    result.then((valid) => valid || forget(), forget);
    return result;
  }

  #digest(name: string, password: string, hash: string | undefined): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([name, password, hash]))
      .digest('base64');
  }
}
