import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import type { Metrics } from '../../../shared/metrics.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { ONCEGATE_PROTOCOL } from '../../../shared/ticket/carriers.ts';
import { type Identity, identityHeaders, type SigningKey } from '../identity/identity.ts';
import { Splice } from '../wires/splice.ts';
import type { Wire, WireListener } from '../wires/wire.ts';
import { type AnswerHead, acceptOf, connectionOptions, headerValues } from './answer-head.ts';
import { dial, type Upstream } from './dial.ts';
import { type RequestHeadOptions, requestHead } from './request-head.ts';

export interface RelayOptions {
  readonly signing: SigningKey | undefined;
  readonly metrics: Metrics;
}

/** What the relay needs to know of an admitted upgrade. */
export interface Passage {
  /** The client's headers, without the ticket. */
  readonly headers: RequestHeadOptions['headers'];
  readonly socket: Duplex;
  readonly upstream: Upstream;
  /** The longest message from the client. */
  readonly maxMessageBytes: number;
  /** Without a byte either way for so long the upstream counts as lost, seconds; 0 for never. */
  readonly idleSeconds: number;
  readonly identity: Identity;
  /** Path and query, without the ticket. */
  readonly target: string;
  /** What the client offers. */
  readonly handshake: {
    readonly key: string;
    readonly extensions: string | undefined;
    /** Without the ticket. */
    readonly protocols: readonly string[];
  };
  readonly forwarded: RequestHeadOptions['forwarded'];
}

export type Relayed =
  | {
      readonly kind: 'open';
      /** Answers the client with 101, and passes bytes on from then. */
      begin(listen: (wire: Wire) => WireListener): void;
      /** Ends the connection to the upstream. */
      abandon(): void;
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The client went away in the meantime. */
  | { readonly kind: 'gone' };

/**
 * Relays an admitted upgrade to its upstream. The upstream is dialled and its answer verified; only then is
 * the client answered with 101. From then on a splice passes the bytes.
 */
export async function relay(passage: Passage, { signing, metrics }: RelayOptions): Promise<Relayed> {
  const { headers, socket, upstream, target, forwarded } = passage;
  const { key, extensions, protocols: offered } = passage.handshake;
  const protocols = offered.filter((protocol) => protocol !== ONCEGATE_PROTOCOL);
  const accept = acceptOf(key);
  const identity = await identityHeaders(passage.identity, signing);
  const behind = targetBehind(upstream.url, target);
  const head = requestHead({ target: behind, headers, host: upstream.host, protocols, identity, forwarded });
  if (hasGone(socket)) return { kind: 'gone' };

  const gone = new AbortController();
  const onGone = () => gone.abort();
  socket.once('close', onGone).once('end', onGone);
  const started = performance.now();
  const dialled = await dial(upstream, head, { accept, protocols, extensions }, gone.signal);
  socket.off('close', onGone).off('end', onGone);

  if (hasGone(socket)) {
    if (dialled.kind === 'open') dialled.socket.destroy();
    return { kind: 'gone' };
  }
  metrics.observe('oncegate_upstream_duration_seconds', (performance.now() - started) / 1000);
  if (dialled.kind === 'refused') return dialled;
  return {
    kind: 'open',
    abandon: () => dialled.socket.destroy(),
    begin(listen) {
      socket.write(switchingProtocols(dialled.answer, accept, offered), 'latin1');
      const { maxMessageBytes, idleSeconds } = passage;
      new Splice({ client: socket, upstream: dialled.socket, maxMessageBytes, idleMs: idleSeconds * 1000 }, listen);
    },
  };
}

/** Whether the client has gone. One that ends its half before the 101 cannot use the connection. */
function hasGone(socket: Duplex): boolean {
  if (socket.readable && socket.writable) return false;
  socket.destroy();
  return true;
}

/** The request target at the upstream: its own path goes in front, and replaces the path `/`. */
function targetBehind({ pathname }: URL, target: string): string {
  return /^\/(?:\?|$)/.test(target) ? pathname + target.slice(1) : pathname.replace(/\/$/, '') + target;
}

/** Headers of one hop (RFC 9110 §7.6.1), and those that the gateway writes itself. */
const NOT_PASSED_ON = [
  'connection',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'content-length',
  'trailer',
  'sec-websocket-accept',
  'sec-websocket-protocol',
];

/**
 * The 101 for the client: the upstream's, with its cookies and extensions. If the upstream chose no
 * subprotocol, the gateway chooses `oncegate.v1`: a browser that offered any fails the connection otherwise.
 */
function switchingProtocols(answer: AnswerHead, accept: string, offered: readonly string[]): string {
  const [chosen = offered.find((protocol) => protocol === ONCEGATE_PROTOCOL)] = headerValues(
    answer,
    'sec-websocket-protocol',
  );
  const dropped = new Set([...NOT_PASSED_ON, ...connectionOptions(answer)]);
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    ...(chosen === undefined ? [] : [`Sec-WebSocket-Protocol: ${chosen}`]),
    ...answer.headers.filter(([name]) => !dropped.has(name.toLowerCase())).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
