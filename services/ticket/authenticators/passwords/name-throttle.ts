import type { TicketStore } from '../../../../shared/store/store.ts';
import { Rate } from '../../limits/rate.ts';

/** Wrong passwords for one name from one address in a minute. */
const MAX_PER_NAME_AND_ADDRESS = 10;

/** Wrong passwords for one name from everywhere in a minute. */
const MAX_PER_NAME = 100;

/**
 * Slows the guessing of passwords, over all ticket services together. Whoever guesses from one address
 * is held up there alone; only guessing from many at once holds the name up everywhere, its owner too,
 * and for no longer than the minute that the count lives.
 */
export class NameThrottle {
  readonly #pair: Rate;
  readonly #name: Rate;

  constructor(store: TicketStore) {
    this.#pair = new Rate({ kind: 'name-address', quota: MAX_PER_NAME_AND_ADDRESS, store });
    this.#name = new Rate({ kind: 'name', quota: MAX_PER_NAME, store });
  }

  /** Seconds for which a name's passwords are not checked for this address, or undefined. */
  async heldUp(name: string, address: string): Promise<number | undefined> {
    const states = await Promise.all([this.#pair.look(pairOf(name, address)), this.#name.look(name)]);
    const over = states.filter(({ exceeded }) => exceeded).map(({ resetSeconds }) => resetSeconds);
    return over.length === 0 ? undefined : Math.max(1, ...over);
  }

  async failed(name: string, address: string): Promise<void> {
    const pair = await this.#pair.hit(pairOf(name, address));
    // What one address has on the way at once, at several services, must not hold up the name.
    if (!pair.exceeded) await this.#name.hit(name);
  }
}

function pairOf(name: string, address: string): string {
  return JSON.stringify([name, address]);
}
