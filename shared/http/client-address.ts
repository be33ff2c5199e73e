import type { IncomingMessage } from 'node:http';
import proxyAddr from 'proxy-addr';
import { canonicalAddress, hopAddress } from './address.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

/** The addresses of trusted proxies (`TRUST_PROXY`); none unless configured. */
export type Trust = TrustedProxies | undefined;

/** Whether a request comes directly from a trusted proxy. */
export function isTrustedPeer(request: IncomingMessage, trust: Trust): boolean {
  return trust?.has(peerOf(request)) === true;
}

/**
 * The address of the client, in its canonical spelling: the rightmost address in `X-Forwarded-For` that is not a
 * trusted proxy, or else the peer's. An untrusted peer's `X-Forwarded-For` is ignored. If that hop is not named by an
 * address, it is the proxy that named it.
 */
export function clientAddress(request: IncomingMessage, trust: Trust): string {
  const peer = peerOf(request);
  if (trust?.has(peer) !== true) return peer;
  const hops = proxyAddr.all(request, (hop) => trust.has(hopAddress(hop) ?? ''));
  const [client = '', ...proxies] = hops.toReversed();
  const address = hopAddress(client);
  if (address !== null) return address;
  trust.tellUnreadable(client);
  return proxies.map(hopAddress).find((proxy) => proxy !== null) ?? peer;
}

/** The address of the client for whom a proxy asks: as {@link clientAddress}, or from `X-Real-IP` instead. */
export function proxiedAddress(request: IncomingMessage, trust: Trust): string {
  const { 'x-forwarded-for': forwarded, 'x-real-ip': real } = request.headers;
  if (forwarded !== undefined || typeof real !== 'string' || !isTrustedPeer(request, trust)) {
    return clientAddress(request, trust);
  }
  const address = hopAddress(real);
  if (address === null) trust?.tellUnreadable(real);
  return address ?? clientAddress(request, trust);
}

function peerOf(request: IncomingMessage): string {
  return canonicalAddress(request.socket.remoteAddress ?? '') ?? '';
}

/** The host that the client asked for, from the `X-Forwarded-Host` of a trusted proxy. */
export function forwardedHost(request: IncomingMessage, trust: Trust): string | undefined {
  if (!isTrustedPeer(request, trust)) return undefined;
  const forwarded = request.headers['x-forwarded-host'];
  return typeof forwarded === 'string' ? forwarded.split(',', 1)[0]?.trim() : undefined;
}

/** The scheme that the client used, as {@link knownScheme} has it. If it is not known, it is taken for that of this connection. */
export function forwardedScheme(request: IncomingMessage, trust: Trust): 'http' | 'https' {
  return knownScheme(request, trust) ?? 'http';
}

/**
 * The scheme that the client used: the `X-Forwarded-Proto` of a trusted proxy, or else TLS on this connection.
 *
 * @returns undefined for a connection without TLS: a proxy that nothing is known of may have ended it
 */
export function knownScheme(request: IncomingMessage, trust: Trust): 'http' | 'https' | undefined {
  const forwarded = isTrustedPeer(request, trust) ? request.headers['x-forwarded-proto'] : undefined;
  if (typeof forwarded === 'string') return /^(?:https|wss)\b/i.test(forwarded.trim()) ? 'https' : 'http';
  return 'encrypted' in request.socket ? 'https' : undefined;
}
