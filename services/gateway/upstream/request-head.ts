import { IDENTITY_PREFIX } from '../identity/identity.ts';

export interface RequestHeadOptions {
  /** Path and query, without the ticket. */
  readonly target: string;
  /** The client's headers in their order, without the ticket. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** Subprotocols to offer: the application's own. */
  readonly protocols: readonly string[];
  /** Identity headers, which the gateway vouches for. */
  readonly identity: ReadonlyArray<readonly [name: string, value: string]>;
  /** How the client reached the gateway: address, scheme, host. */
  readonly forwarded: { readonly for: string; readonly proto: 'http' | 'https'; readonly host: string };
}

/** Headers of one hop (RFC 9110 §7.6.1), headers about framing, and those that the gateway writes itself. */
const NOT_PASSED_ON = [
  'connection',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'expect',
  'http2-settings',
  'sec-websocket-protocol',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-real-ip',
];

/** CGI servers read `_`, `-` and the like as one character: a header is removed in each of those spellings. */
function canonical(name: string): string {
  return name.toLowerCase().replaceAll(/[^0-9a-z]/g, '-');
}

/** The upgrade request for an upstream: the client's, without headers that only the gateway sends. */
export function requestHead({ target, headers, protocols, identity, forwarded }: RequestHeadOptions): string {
  const named = headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((option) => canonical(option.trim())));
  const removed = new Set([...NOT_PASSED_ON, ...named.filter((name) => !ESSENTIAL.has(name))]);
  const kept = headers.filter(([sent]) => {
    const name = canonical(sent);
    return !removed.has(name) && !name.startsWith(IDENTITY_PREFIX);
  });
  const own: Array<readonly [string, string]> = [
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
