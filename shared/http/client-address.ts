import type { IncomingMessage } from 'node:http';
import { type BlockList, isIP } from 'node:net';
import proxyAddr from 'proxy-addr';

/** The addresses of trusted proxies (`TRUST_PROXY`); none unless configured. */
export type Trust = BlockList | undefined;

/** An IPv4 address in IPv4 notation, also if it came over an IPv6 socket (RFC 4291 §2.5.5.2). */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

function isTrusted(trust: Trust, address: string): boolean {
  const plain = plainAddress(address);
  const family = isIP(plain);
  return family !== 0 && trust?.check(plain, family === 4 ? 'ipv4' : 'ipv6') === true;
}

/** Whether a request comes directly from a trusted proxy. */
export function isTrustedPeer(request: IncomingMessage, trust: Trust): boolean {
  return trust !== undefined && isTrusted(trust, request.socket.remoteAddress ?? '');
}

/**
 * The address of the client: the rightmost address in `X-Forwarded-For` that is not a trusted proxy, or else
 * the peer's. An untrusted peer's `X-Forwarded-For` is ignored.
 */
export function clientAddress(request: IncomingMessage, trust: Trust): string {
  const peer = plainAddress(request.socket.remoteAddress ?? '');
  if (trust === undefined || !isTrusted(trust, peer)) return peer;
  const address = plainAddress(proxyAddr(request, (hop) => isTrusted(trust, hop)));
  return isIP(address) === 0 ? peer : address;
}

/** The address of the client for whom a proxy asks: as {@link clientAddress}, or from `X-Real-IP` instead. */
export function proxiedAddress(request: IncomingMessage, trust: Trust): string {
  const { 'x-forwarded-for': forwarded, 'x-real-ip': real } = request.headers;
  if (forwarded !== undefined || typeof real !== 'string' || !isTrustedPeer(request, trust)) {
    return clientAddress(request, trust);
  }
  const address = plainAddress(real.trim());
  return isIP(address) === 0 ? clientAddress(request, trust) : address;
}

/** The host that the client asked for, from the `X-Forwarded-Host` of a trusted proxy. */
export function forwardedHost(request: IncomingMessage, trust: Trust): string | undefined {
  if (!isTrustedPeer(request, trust)) return undefined;
  const forwarded = request.headers['x-forwarded-host'];
  return typeof forwarded === 'string' ? forwarded.split(',', 1)[0]?.trim() : undefined;
}

/** The scheme that the client used: the `X-Forwarded-Proto` of a trusted proxy, or else that of this connection. */
export function forwardedScheme(request: IncomingMessage, trust: Trust): 'http' | 'https' {
  const forwarded = isTrustedPeer(request, trust) ? request.headers['x-forwarded-proto'] : undefined;
  if (typeof forwarded === 'string') return /^(?:https|wss)\b/i.test(forwarded.trim()) ? 'https' : 'http';
  return 'encrypted' in request.socket ? 'https' : 'http';
}
