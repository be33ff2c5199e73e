import {
  costOf,
  decoyHash,
  parsePasswordHash,
  passwordMatches,
  type ScryptHash,
} from '../../../../shared/logins/password.ts';
import type { Users } from '../../../../shared/logins/users-file.ts';

/**
 * Checks passwords of the users of a file. Attack (timing): every check does the same work, a hash of each cost that
 * is in the file. So the time tells neither who is known nor whose hash is older.
 */
export class UserPasswords {
  readonly #hashes = new Map<string, ScryptHash>();
  /** A decoy of each cost in the file. */
  readonly #decoys = new Map<string, ScryptHash>();
  readonly #compare: typeof passwordMatches;

  /** @param compare for tests, which count the work */
  constructor(users: Users, compare = passwordMatches) {
    this.#compare = compare;
    for (const [name, phc] of users) {
      const hash = parsePasswordHash(phc);
      if (hash === null) continue;
      this.#hashes.set(name, hash);
      this.#decoys.set(costOf(hash), decoyHash(hash));
    }
  }

  /** How many different costs the hashes have. */
  get costs(): number {
    return this.#decoys.size;
  }

  async match(name: string, password: string): Promise<boolean> {
    const expected = this.#hashes.get(name);
    let right = false;
    for (const [cost, decoy] of this.#decoys) {
      const own = expected !== undefined && costOf(expected) === cost;
      const same = await this.#compare(password, own ? expected : decoy);
      if (own) right = same;
    }
    return right;
  }
}
