import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a host is this machine alone: a loopback address, or a name for one (RFC 6761 §6.3). */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '');
  const family = isIP(plain);
  if (family === 0) return /^(?:.+\.)?localhost\.?$/i.test(plain);
  return loopback.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}
