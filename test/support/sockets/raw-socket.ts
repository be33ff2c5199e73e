import { connect, type Socket } from 'node:net';
import { atEnd } from '../machine/teardown.ts';

/** A complete HTTP response, as it came over the wire. */
export interface RawResponse {
  readonly statusLine: string;
  /** Names in lower case, in the order in which they came. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: string;
}

/** A TCP connection of which every byte is kept. */
export interface RawClient {
  readonly socket: Socket;
  send(bytes: string | Buffer): void;
  received(): Buffer;
  /** Resolves once the other side has closed, or reset, the connection. */
  readonly closed: Promise<void>;
}

/** Opens a TCP connection to 127.0.0.1; it is destroyed with the test. */
export function openRaw(port: number): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    socket.once('error', reject); // without effect once it is connected
    socket.once('connect', () => {
      atEnd(async () => void socket.destroy());
      resolve({ socket, send: (bytes) => void socket.write(bytes), received: () => Buffer.concat(chunks), closed });
    });
  });
}

/** Sends bytes and returns all responses that come before the other side closes the connection. */
export async function exchange(port: number, bytes: string | Buffer): Promise<RawResponse[]> {
  const client = await openRaw(port);
  client.send(bytes);
  await client.closed;
  return parseResponses(client.received());
}

/**
 * Splits what came into responses by their `Content-Length`. A byte too many or too few is an error,
 * and so is a response without a length.
 */
export function parseResponses(bytes: Buffer): RawResponse[] {
  const responses: RawResponse[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const { head, behind } = splitHead(rest);
    const length = Number(head.headers.find(([name]) => name === 'content-length')?.[1]);
    if (!(length <= behind.length)) {
      throw new Error(`Content-Length ${length} with ${behind.length} bytes behind the head of ${head.statusLine}`);
    }
    responses.push({ ...head, body: behind.subarray(0, length).toString() });
    rest = behind.subarray(length);
  }
  return responses;
}

/** The head of a response, and the bytes behind it. */
export function splitHead(bytes: Buffer): { head: Omit<RawResponse, 'body'>; behind: Buffer } {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) throw new Error(`no complete head: ${JSON.stringify(bytes.toString())}`);
  const [statusLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = lines.map((line) => {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): (.*)$/.exec(line);
    if (match === null) throw new Error(`not a header line: ${JSON.stringify(line)}`);
    return [String(match[1]).toLowerCase(), String(match[2])] as const;
  });
  return { head: { statusLine, headers }, behind: bytes.subarray(end + 4) };
}

/** The values of a header, in their order. */
export function valuesOf(response: Pick<RawResponse, 'headers'>, name: string): string[] {
  return response.headers.filter(([header]) => header === name).map(([, value]) => value);
}

export interface UpgradeRequestOptions {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** In place of, or beside, those of a good request; `null` leaves one out, a list repeats it. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
}

/** The bytes of an upgrade request that has nothing wrong with it, unless the options say so. */
export function upgradeRequest(options: UpgradeRequestOptions = {}): string {
  const { method = 'GET', target = '/', version = 'HTTP/1.1', headers = {} } = options;
  const all = {
    Host: 'gateway.example',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    (value === null ? [] : [value].flat()).map((one) => `${name}: ${one}`),
  );
  return `${method} ${target} ${version}\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** A frame from a client (RFC 6455 §5.2), masked with zeros. Payloads of up to 65,535 bytes. */
export function clientFrame(opcode: number, payload: string | Buffer = '', { fin = true } = {}): Buffer {
  const bytes = Buffer.from(payload);
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode, ...length, 0, 0, 0, 0]), bytes]);
}
