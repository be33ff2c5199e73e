import type { Network } from '../../../../shared/http/address.ts';
import type { TicketStore } from '../../../../shared/store/store.ts';
import { Rate } from '../../limits/rate.ts';
import { type Chain, NetworkRate } from '../../limits/reservation.ts';

/** Wrong passwords per minute for one name from one network. */
const MAX_PER_NAME_AND_NETWORK = 10;

/** So many times that from one IPv6 site: fewer than what holds the name up everywhere. */
const PER_SITE = 4;

/** Wrong passwords per minute for one name from all networks. */
const MAX_PER_NAME = 100;

/**
 * Attack (password guessing): throttles it, for all ticket services together. Guesses from one network
 * throttle the name for that network only. Guesses from many networks throttle it everywhere, for its
 * owner too, but for at most the minute that the count lives.
 */
export class NameThrottle {
  readonly #pair: NetworkRate;
  readonly #name: Rate;

  constructor(store: TicketStore) {
    this.#pair = new NetworkRate({ kind: 'name-address', quota: MAX_PER_NAME_AND_NETWORK, store }, PER_SITE);
    this.#name = new Rate({ kind: 'name', quota: MAX_PER_NAME, store });
  }

  /** The rates at which a wrong password of the name counts. */
  of(name: string, from: Network): Chain {
    return [...this.#pair.of(from, (network) => JSON.stringify([name, network])), [this.#name, name]];
  }
}
