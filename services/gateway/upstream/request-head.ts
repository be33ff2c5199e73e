import { IDENTITY_PREFIX } from '../identity/identity.ts';
import { canonicalName, isProxyHeader } from './proxy-headers.ts';

export interface RequestHeadOptions {
  /** Path and query, without the ticket. */
  readonly target: string;
  /** The client's headers in their order, without the ticket. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** The `Host` in place of the client's; undefined keeps that. */
  readonly host: string | undefined;
  /** Subprotocols to offer: the application's own. */
  readonly protocols: readonly string[];
  /** Identity headers, which the gateway vouches for. */
  readonly identity: ReadonlyArray<readonly [name: string, value: string]>;
  /** How the client reached the gateway: address, scheme, host. */
  readonly forwarded: { readonly for: string; readonly proto: 'http' | 'https'; readonly host: string };
}

/** Headers of one hop (RFC 9110 §7.6.1), headers about framing, and those of the handshake that the gateway writes. */
const NOT_PASSED_ON = [
  'connection',
  'upgrade',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'expect',
  'http2-settings',
  'sec-websocket-protocol',
];

/** The upgrade request for an upstream: the client's, without headers that only the gateway sends. */
export function requestHead({ target, headers, host, protocols, identity, forwarded }: RequestHeadOptions): string {
  const named = headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((option) => canonicalName(option.trim())));
  const removed = new Set([
    ...NOT_PASSED_ON,
    ...named.filter((name) => !ESSENTIAL.has(name)),
    ...(host === undefined ? [] : ['host']),
  ]);
  const kept = headers.filter(([sent]) => {
    const name = canonicalName(sent);
    return !removed.has(name) && !name.startsWith(IDENTITY_PREFIX) && !isProxyHeader(name);
  });
  const own: Array<readonly [string, string]> = [
    ...(host === undefined ? [] : [['Host', host] as const]),
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ...(protocols.length > 0 ? [['Sec-WebSocket-Protocol', protocols.join(', ')] as const] : []),
    ['X-Forwarded-For', forwarded.for],
    ['X-Forwarded-Proto', forwarded.proto],
    ['X-Forwarded-Host', forwarded.host],
    ...identity,
  ];
  const lines = [...kept, ...own].map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** The handshake needs these: a client cannot have them removed by naming them in `Connection`. */
const ESSENTIAL: ReadonlySet<string> = new Set([
  'host',
  'origin',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
]);
