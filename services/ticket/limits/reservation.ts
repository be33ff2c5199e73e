import { NETWORKS_PER_SITE, type Network } from '../../../shared/http/address.ts';
import { Rate, type RateOptions, type RateState } from './rate.ts';

/** A place within the limits, for something that counts only if it fails. */
export interface Place {
  /** It has failed: counts it, and frees the place. */
  fail(): Promise<void>;
  /** Frees the place. Does nothing after {@link Place.fail}. */
  free(): void;
}

export type Reservation =
  | { readonly ok: true; readonly place: Place }
  | { readonly ok: false; readonly resetSeconds: number };

type Counted = readonly [rate: Rate, key: string];

/** At least one, the narrowest first. */
export type Chain = readonly [Counted, ...Counted[]];

/**
 * Takes a place at each of these rates, or at none of them. A process lets no more pass at the same time than what
 * is left; each other ticket service may let as much pass at that moment.
 */
export async function reserve(chain: Chain): Promise<Reservation> {
  const lookedAt = await lookAt(chain);
  // Race: nothing is awaited from here until the places are taken.
  const resetSeconds = lookedAt();
  if (resetSeconds !== undefined) return { ok: false, resetSeconds };
  const frees = chain.map(([rate, key]) => rate.take(key));
  const free = (): void => {
    for (const each of frees) each();
  };
  return {
    ok: true,
    place: {
      free,
      async fail() {
        await count(chain, frees).finally(free);
      },
    },
  };
}

/** The seconds until there is a place again at each of these rates; undefined if there is one now. */
export async function secondsUntilPlace(chain: Chain): Promise<number | undefined> {
  return (await lookAt(chain))();
}

async function lookAt(chain: Chain): Promise<() => number | undefined> {
  const looks = await Promise.all(chain.map(([rate, key]) => rate.lookAtPlaces(key)));
  return () => {
    const over = looks.map((state) => state()).filter(({ exceeded }) => exceeded);
    return over.length === 0 ? undefined : Math.max(1, ...over.map(({ resetSeconds }) => resetSeconds));
  };
}

/**
 * Counts a hit at each rate. Attack: once a narrow one is exceeded, wider ones are left alone. One client that sends
 * many at once, to several services, must not use up what it shares with others.
 *
 * @returns the state of the one that is exceeded, or of the narrowest
 */
export async function count(
  [[rate, key], ...wider]: Chain,
  [free, ...others]: ReadonlyArray<() => void> = [],
): Promise<RateState> {
  const state = await rate.hit(key, free);
  const [next, ...rest] = wider;
  if (state.exceeded || next === undefined) return state;
  const above = await count([next, ...rest], others);
  return above.exceeded ? above : state;
}

/** A rate by network. The site of an IPv6 network has a quota of its own, which is larger. */
export class NetworkRate {
  readonly own: Rate;
  readonly #site: Rate;

  /** @param perSite how many times the quota a site has */
  constructor(options: RateOptions, perSite = NETWORKS_PER_SITE) {
    this.own = new Rate(options);
    this.#site = new Rate({ ...options, kind: `${options.kind}-site`, quota: perSite * options.quota });
  }

  /**
   * The rates at which something of a network counts.
   *
   * @param nameOf the key of what is counted, by network or site
   */
  of({ key, site }: Network, nameOf = (network: string) => network): Chain {
    const own: Counted = [this.own, nameOf(key)];
    return site === undefined ? [own] : [own, [this.#site, nameOf(site)]];
  }
}
