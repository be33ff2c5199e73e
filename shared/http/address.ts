import { isIP } from 'node:net';

/**
 * The one spelling of an address that is compared, counted, stored and logged: IPv6 as RFC 5952 §4 writes it,
 * without a zone, and IPv4 in its own notation, also if it came over an IPv6 socket (RFC 4291 §2.5.5.2).
 *
 * @returns null if the text is no address
 */
export function canonicalAddress(text: string): string | null {
  const [plain = ''] = text.split('%', 1);
  switch (isIP(plain)) {
    case 4:
      return plain;
    case 6: {
      const address = shortest(plain);
      const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(address);
      return mapped === null ? address : dotted(mapped.slice(1));
    }
    default:
      return null;
  }
}

/**
 * The address of a hop, as proxies write it into a header: in quotes, in brackets, with a port (RFC 7239 §6).
 *
 * @returns null if the hop is not named by an address: `unknown`, `_hidden`
 */
export function hopAddress(text: string): string | null {
  const hop = text.trim().replace(/^"(.*)"$/, '$1');
  const [, bracketed, plain] = /^(?:\[([^[\]]+)\]|([^:[\]]+))(?::(?:\d{1,5}|_[\w.-]+))?$/.exec(hop) ?? [];
  return canonicalAddress(bracketed ?? plain ?? hop);
}

/** Who counts as one client for limits. */
export interface Network {
  /** The address itself for IPv4; the prefix that one client gets for IPv6. */
  readonly key: string;
  /** The IPv6 site around it, of which one client may have every network; absent for IPv4. */
  readonly site?: string;
}

/** How many times the limit of a network its site has. */
export const NETWORKS_PER_SITE = 16;

/** What counts against a limit by address: each key with its own quota. */
export function quotasOf({ key, site }: Network, quota: number): ReadonlyArray<readonly [key: string, quota: number]> {
  const own = [key, quota] as const;
  return site === undefined ? [own] : [own, [site, NETWORKS_PER_SITE * quota]];
}

const SITE_BITS = 48;

/**
 * The network of a client. Attack: each host of an IPv6 network can use 2^64 addresses (RFC 7421).
 *
 * @param address in its canonical spelling
 * @param prefixBits length of the prefix that counts as one IPv6 client, 1 to 128
 */
export function networkOf(address: string, prefixBits: number): Network {
  if (isIP(address) !== 6) return { key: address };
  const key = prefixOf(address, prefixBits);
  return prefixBits > SITE_BITS ? { key, site: prefixOf(address, SITE_BITS) } : { key };
}

function prefixOf(address: string, bits: number): string {
  const [head = '', tail = ''] = address.split('::');
  const [first, last] = [head, tail].map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array.from({ length: 8 - (first?.length ?? 0) - (last?.length ?? 0) }, () => '0');
  const groups = [...(first ?? []), ...zeros, ...(last ?? [])].map((group, index) => {
    const kept = Math.min(16, Math.max(0, bits - 16 * index));
    return (Number.parseInt(group, 16) & (0xffff << (16 - kept)) & 0xffff).toString(16);
  });
  return `${shortest(groups.join(':'))}/${bits}`;
}

/** The WHATWG serialises an IPv6 address as RFC 5952 §4 does. */
function shortest(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function dotted(groups: readonly string[]): string {
  return groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]).join('.');
}
