import type { TicketStore } from '../../../../shared/store/store.ts';
import { Rate } from '../../limits/rate.ts';

/** Wrong passwords per minute for one name from one address. */
const MAX_PER_NAME_AND_ADDRESS = 10;

/** Wrong passwords per minute for one name from all addresses. */
const MAX_PER_NAME = 100;

/**
 * Attack (password guessing): throttles it, for all ticket services together. Guesses from one address
 * throttle the name for that address only. Guesses from many addresses throttle it everywhere, for its
 * owner too, but for at most the minute that the count lives.
 */
export class NameThrottle {
  readonly #pair: Rate;
  readonly #name: Rate;

  constructor(store: TicketStore) {
    this.#pair = new Rate({ kind: 'name-address', quota: MAX_PER_NAME_AND_ADDRESS, store });
    this.#name = new Rate({ kind: 'name', quota: MAX_PER_NAME, store });
  }

  /** The seconds until passwords of the name are checked for this address again; undefined if they are now. */
  async retryAfterSeconds(name: string, address: string): Promise<number | undefined> {
    const states = await Promise.all([this.#pair.look(pairOf(name, address)), this.#name.look(name)]);
    const over = states.filter(({ exceeded }) => exceeded).map(({ resetSeconds }) => resetSeconds);
    return over.length === 0 ? undefined : Math.max(1, ...over);
  }

  /** Counts a wrong password. */
  async failed(name: string, address: string): Promise<void> {
    const pair = await this.#pair.hit(pairOf(name, address));
    // Attack: one address that sends many guesses at once, to several services, must not throttle the name everywhere.
    if (!pair.exceeded) await this.#name.hit(name);
  }
}

function pairOf(name: string, address: string): string {
  return JSON.stringify([name, address]);
}
