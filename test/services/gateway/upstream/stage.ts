import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { acceptOf } from '../../../../services/gateway/upstream/answer-head.ts';
import type { TicketRecord } from '../../../../shared/store/store.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import {
  type Environment,
  type InProcess,
  runGateway,
  type StoredTicket,
  storeTicket,
} from '../../../support/services/in-process.ts';

/** An upstream that answers with the bytes of the test. With TLS, `received` is what was decrypted. */
export interface RawUpstream {
  readonly port: number;
  /** Everything that a connection has received so far. */
  received(index?: number): Buffer;
  readonly sockets: readonly Socket[];
  /** How many connections ended before TLS was complete. */
  brokenOff(): number;
}

/** The head of an upgrade request, once it is complete. */
const HEAD_END = '\r\n\r\n';

/**
 * Starts an upstream.
 *
 * @param answer called for each connection once its request is complete; `accept` is the right `Sec-WebSocket-Accept`
 * @param tls a certificate and its key, for an upstream with TLS
 */
export async function startRawUpstream(
  answer: (socket: Socket, accept: string, head: string) => void,
  tls?: { readonly cert: string; readonly key: string },
): Promise<RawUpstream> {
  const connections: Socket[] = [];
  const sockets: Socket[] = [];
  const received: Buffer[] = [];
  const onOpen = (socket: Socket): void => {
    const index = sockets.push(socket) - 1;
    received.push(Buffer.alloc(0));
    let answered = false;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      const all = Buffer.concat([received[index] ?? Buffer.alloc(0), chunk]);
      received[index] = all;
      const end = all.indexOf(HEAD_END);
      if (answered || end < 0) return;
      answered = true;
      const head = all.toString('latin1', 0, end);
      answer(socket, acceptOf(/^sec-websocket-key: (\S+)$/im.exec(head)?.[1] ?? ''), head);
    });
  };
  // Not half open with TLS: a connection that breaks off during the TLS handshake would never emit an event.
  const server = tls === undefined ? createServer({ allowHalfOpen: true }, onOpen) : createTlsServer(tls, onOpen);
  let brokenOff = 0;
  server.on('connection', (socket) => connections.push(socket));
  server.on('tlsClientError', () => {
    brokenOff += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    for (const socket of [...sockets, ...connections]) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    sockets,
    brokenOff: () => brokenOff,
    received: (index = 0) => received[index] ?? Buffer.alloc(0),
  };
}

/** A good 101. */
export function switching(accept: string, ...more: readonly string[]): string {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
  ];
  return `${[...lines, ...more].join('\r\n')}${HEAD_END}`;
}

/** A frame as a server sends it, of any length. */
export function serverFrame(opcode: number, payload: Buffer | string = '', { fin = true } = {}): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([serverFrameHead(opcode, bytes.length, { fin }), bytes]);
}

/** The header of a frame as a server sends it, for a payload of this length. */
export function serverFrameHead(opcode: number, length: number, { fin = true } = {}): Buffer {
  const wide = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + wide);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = wide === 0 ? length : wide === 2 ? 126 : 127;
  if (wide === 2) head.writeUInt16BE(length, 2);
  if (wide === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

export interface RelayStage {
  readonly gateway: InProcess;
  readonly ticket: StoredTicket;
  /** Another one. */
  issue(subject?: string): Promise<StoredTicket>;
  /** The record of a ticket once it is in this state. */
  recordIn(state: TicketRecord['state'], ticket?: StoredTicket): Promise<TicketRecord>;
}

/** A gateway in front of an upstream, and a ticket for it. */
export async function setRelay(upstreamPort: number, env: Environment = {}): Promise<RelayStage> {
  const gateway = await runGateway({ UPSTREAM_URL: `ws://127.0.0.1:${upstreamPort}`, ...env });
  const issue = (subject = 'ada') =>
    storeTicket(gateway.store, { subject, claims: '{"role":"admin"}', clientClaims: '{"role":"root"}' });
  const ticket = await issue();
  return {
    gateway,
    ticket,
    issue,
    recordIn: (state, { id } = ticket) =>
      until(
        async () => {
          const record = await gateway.store.read(id);
          return record?.state === state ? record : undefined;
        },
        { what: `the record is ${state}` },
      ),
  };
}
