/**
 * Places that are taken while it is not known whether they will count. Attack: a limit that is looked at before a
 * check, and counted after it, lets everything pass that arrives during the check.
 */
export class Places {
  readonly #taken = new Map<string, number>();

  taken(key: string): number {
    return this.#taken.get(key) ?? 0;
  }

  /**
   * Takes a place for each key.
   *
   * @returns a function that frees them, once
   */
  take(keys: readonly string[]): () => void {
    for (const key of keys) this.#taken.set(key, this.taken(key) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      for (const key of keys) {
        const left = this.taken(key) - 1;
        if (left === 0) this.#taken.delete(key);
        else this.#taken.set(key, left);
      }
    };
  }
}
