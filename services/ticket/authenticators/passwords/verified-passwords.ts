import { createHmac, randomBytes } from 'node:crypto';
import { remember } from '../../limits/bounded-map.ts';

const REMEMBER_MS = 10_000;
const MAX_ENTRIES = 1_000;

/**
 * Passwords that were just found right, so that a client which asks for many tickets costs one scrypt
 * and not one for each. What is kept is an HMAC under a key of this process, together with the stored
 * hash: nothing to steal, and gone the moment the hash changes. Wrong passwords are not remembered,
 * but equal ones that arrive together are checked once.
 */
export class VerifiedPasswords {
  readonly #key = randomBytes(32);
  readonly #entries = new Map<string, { readonly result: Promise<boolean>; readonly until: number }>();

  /** The result for a password that was, or is being, checked. */
  find(name: string, password: string, hash: string | undefined): Promise<boolean> | undefined {
    const entry = this.#entries.get(this.#digest(name, password, hash));
    return entry !== undefined && performance.now() < entry.until ? entry.result : undefined;
  }

  remember(name: string, password: string, hash: string | undefined, result: Promise<boolean>): Promise<boolean> {
    const digest = this.#digest(name, password, hash);
    remember(this.#entries, digest, { result, until: performance.now() + REMEMBER_MS }, MAX_ENTRIES);
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
