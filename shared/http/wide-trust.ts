import type { TrustedProxies } from './trusted-proxies.ts';

/** Addresses that are spread evenly over a family: the part of them that is trusted tells how much of it all is. */
const PROBES = 1_024;
/** A part of a family that no set of proxies has: a /4 of IPv4. */
const WIDE = 1 / 16;

/** Whether so many addresses are trusted that anybody may have one of them. */
export function isWide(trusted: Pick<TrustedProxies, 'has'>): boolean {
  return [
    share((probe) => trusted.has(ipv4(probe))),
    // All that is assigned to networks is in 2000::/3 (RFC 4291 §2.4). So a share of the whole family would be too small.
    share((probe) => trusted.has(ipv6(0x2000 + 0x2000 * probe))),
    share((probe) => trusted.has(ipv6(0x10000 * probe))),
  ].some((part) => part >= WIDE);
}

/** @param isTrusted gets the place of an address in its family, from 0 to 1 */
function share(isTrusted: (probe: number) => boolean): number {
  let count = 0;
  for (let index = 0; index < PROBES; index += 1) if (isTrusted((index + 0.618) / PROBES)) count += 1;
  return count / PROBES;
}

function ipv4(probe: number): string {
  const address = Math.floor(probe * 2 ** 32);
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** @param first the first 16 bits, with a fraction that tells the next ones */
function ipv6(first: number): string {
  const group = Math.floor(first);
  return `${group.toString(16)}:${Math.floor((first - group) * 0x10000).toString(16)}::1`;
}
