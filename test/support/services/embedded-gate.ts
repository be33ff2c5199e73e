import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { pino } from 'pino';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import {
  type Admittance,
  type AdmitUpgradeOptions,
  admitUpgrade,
  type UpgradeGate,
} from '../../../services/gateway/fronts/embed.ts';
import { listen } from '../machine/listen.ts';
import { atEnd } from '../machine/teardown.ts';
import { until } from '../machine/wait.ts';
import { PATIENCE } from './patience.ts';
import type { LogLine } from './services.ts';

/** An application with its own WebSocket server, and a gate in front of it. */
export interface EmbeddedGate<Claims, ClientClaims = Readonly<Record<string, unknown>>> {
  readonly port: number;
  readonly server: Server;
  readonly gate: UpgradeGate<Claims, ClientClaims>;
  readonly log: readonly LogLine[];
  /** The upgrades that the gate has admitted, in order. */
  readonly admitted: ReadonlyArray<{
    readonly request: IncomingMessage;
    readonly admittance: Admittance<Claims, ClientClaims>;
  }>;
  /** The sockets that `ws` has opened for them. */
  readonly sockets: readonly WebSocket[];
}

interface Options<Claims, ClientClaims> extends AdmitUpgradeOptions<Claims, ClientClaims> {
  readonly ws?: ServerOptions;
  /** Answers an admitted upgrade; by default `ws` does. */
  readonly answer?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void | Promise<void>;
  /** Called with each open WebSocket. */
  readonly speak?: (socket: WebSocket, request: IncomingMessage) => void;
}

/** Starts an application with a gate. It is closed with the test, or the test file. */
export async function embedGate<Claims, ClientClaims = Readonly<Record<string, unknown>>>(
  options: Options<Claims, ClientClaims>,
): Promise<EmbeddedGate<Claims, ClientClaims>> {
  const { ws = {}, answer, speak, settings = {}, ...rest } = options;
  const log: LogLine[] = [];
  const gate = admitUpgrade<Claims, ClientClaims>({
    settings: { GATEWAY_ID: 'embedded', DRAIN_SECONDS: '0', ...PATIENCE, ...settings },
    log: pino({ base: {} }, { write: (line: string) => void log.push(JSON.parse(line) as LogLine) }), // one object a line
    ...rest,
  });
  const wss = new WebSocketServer({ noServer: true, ...ws });
  const admitted: Array<{ request: IncomingMessage; admittance: Admittance<Claims, ClientClaims> }> = [];
  const sockets: WebSocket[] = [];
  const open: NonNullable<Options<Claims, ClientClaims>['answer']> = (request, socket, head) =>
    wss.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.push(webSocket);
      webSocket.on('error', () => {});
      speak?.(webSocket, request);
    });
  const server = createServer((_request, response) => response.end('plain'));
  server.on('upgrade', async (request, socket, head) => {
    const admittance = await gate(request, socket, head);
    if (admittance === null) return;
    admitted.push({ request, admittance });
    await (answer ?? open)(request, socket, head);
  });
  atEnd(async () => {
    for (const socket of sockets) socket.terminate();
    await gate.close();
  });
  const port = await listen(server);
  await until(() => gate.ready(), { what: 'the store is ready' });
  return { port, server, gate, log, admitted, sockets };
}
