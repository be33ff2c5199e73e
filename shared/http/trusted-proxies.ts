import { BlockList, isIP } from 'node:net';
import type { Logger } from '../process/log.ts';
import { hopAddress } from './address.ts';

const LOG_EVERY_MS = 60_000;
const MAX_LOGGED = 64;

/** The addresses and CIDR blocks of proxies whose word about the client is taken. */
export class TrustedProxies {
  readonly #blocks = new BlockList();
  readonly #now: () => number;
  #log: Pick<Logger, 'warn'> | undefined;
  #quietUntil = Number.NEGATIVE_INFINITY;

  /** @param now a monotonic clock, ms */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Adds an address, or a block such as `10.0.0.0/8`.
   *
   * @returns false if it is neither
   */
  add(text: string): boolean {
    const [written = '', bits, ...more] = text.split('/');
    const address = hopAddress(written) ?? '';
    const family = isIP(address);
    // An IPv4 block may be written over IPv6: `::ffff:10.0.0.0/104`.
    const mapped = family === 4 && written.includes('::') ? 96 : 0;
    const width = family === 4 ? 32 : 128;
    const length = bits === undefined ? width : Number(bits) - mapped;
    if (family === 0 || more.length > 0 || !/^\d{1,3}$/.test(bits ?? '0') || length < 0 || length > width) return false;
    this.#blocks.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
    return true;
  }

  /** @param address in its canonical spelling */
  has(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#blocks.check(address, family === 4 ? 'ipv4' : 'ipv6');
  }

  /** From now on, hops that cannot be read are logged there, once a minute. */
  reportTo(log: Pick<Logger, 'warn'>): void {
    this.#log = log;
  }

  /** A trusted proxy has named the client by something other than an address. */
  tellUnreadable(hop: string): void {
    const now = this.#now();
    if (this.#log === undefined || now < this.#quietUntil) return;
    this.#quietUntil = now + LOG_EVERY_MS;
    this.#log.warn(
      { event: 'client_address_unreadable', setting: 'TRUST_PROXY', hop: hop.slice(0, MAX_LOGGED) },
      'a trusted proxy names a client by no address, so such clients share the address of the proxy',
    );
  }
}
