import { isIP } from 'node:net';

/** Every address of this machine, which no client can dial, and the loopback addresses that `localhost` stands for. */
const LOCALHOST = new Set(['0.0.0.0', '::', '127.0.0.1', '::1']);

/** How a client on this machine writes the address that a server listens on, in a URL. */
export function hostInUrl(host: string): string {
  if (LOCALHOST.has(host)) return 'localhost';
  return isIP(host) === 6 ? `[${host}]` : host;
}
