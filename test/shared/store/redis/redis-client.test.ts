import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createClient, type RedisAddress } from '../../../../shared/store/redis/redis-client.ts';
import { listen } from '../../../support/machine/listen.ts';
import { until } from '../../../support/machine/wait.ts';

const PASSWORD = 'a-password-that-no-network-may-see';
const TLS_HANDSHAKE = 0x16;

interface Recorder {
  readonly port: number;
  /** What has arrived so far, of all connections. */
  received(): Buffer;
}

/** A server that keeps what it is sent. */
async function startRecorder(answer: (socket: Socket, chunk: Buffer) => void = () => {}): Promise<Recorder> {
  const chunks: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      answer(socket, chunk);
    });
  });
  return { port: await listen(server), received: () => Buffer.concat(chunks) };
}

/** A Sentinel in clear that knows one primary. */
function startSentinel(primary: number): Promise<Recorder> {
  return startRecorder((socket, chunk) => {
    for (const command of chunk
      .toString()
      .toLowerCase()
      .match(/^(?:hello|client|get-master-addr-by-name|sentinels)\r$/gm) ?? []) {
      if (command.startsWith('hello')) socket.write('%1\r\n+proto\r\n:3\r\n');
      else if (command.startsWith('client')) socket.write('+OK\r\n');
      else if (command.startsWith('sentinels')) socket.write('*0\r\n');
      else socket.write(`*2\r\n$9\r\n127.0.0.1\r\n$${String(primary).length}\r\n${primary}\r\n`);
    }
  });
}

function connect(address: RedisAddress): void {
  const client = createClient(address);
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
}

async function firstBytes({ received }: Recorder): Promise<Buffer> {
  await until(() => received().length > 0, { what: 'the client has sent something' });
  return received();
}

const host = '127.0.0.1';
const secured = (port: number, scheme = 'rediss'): string => `${scheme}://ada:${PASSWORD}@127.0.0.1:${port}`;

/** Each leg that TLS was asked for, with the address whose leg ends at the recorder. */
const legs: ReadonlyArray<readonly [name: string, address: (port: number) => Promise<RedisAddress> | RedisAddress]> = [
  ['a single server', (port) => ({ kind: 'single', url: secured(port) })],
  ['a single server whose scheme is in capitals', (port) => ({ kind: 'single', url: secured(port, 'REDISS') })],
  ['a single server with an authority of its own', (port) => ({ kind: 'single', url: secured(port), ca: '' })],
  ['the first node of a Cluster', (port) => ({ kind: 'cluster', nodes: [{ host, port }], url: secured(port) })],
  [
    'the primary that a Sentinel names',
    async (port) => {
      const sentinel = await startSentinel(port);
      return { kind: 'sentinel', sentinels: [{ host, port: sentinel.port }], name: 'main', url: secured(1) };
    },
  ],
  [
    'a Sentinel',
    (port) => ({
      kind: 'sentinel',
      sentinels: [{ host, port }],
      name: 'main',
      sentinelAccess: { tls: true, username: 'ada', password: PASSWORD },
    }),
  ],
];

describe('TLS that was asked for', () => {
  test.each(legs)('begins with the first byte to %s', async (_name, addressOf) => {
    const recorder = await startRecorder();
    connect(await addressOf(recorder.port));
    const bytes = await firstBytes(recorder);

    expect(bytes[0]).toBe(TLS_HANDSHAKE);
    expect(bytes.includes(PASSWORD)).toBe(false);
  });

  test.each(legs)('is never given up for %s that has none', async (_name, addressOf) => {
    let refusals = 0;
    const recorder = await startRecorder((socket) => {
      refusals += 1;
      socket.end('-ERR no TLS here\r\n');
    });
    connect(await addressOf(recorder.port));
    await until(() => refusals === 3);

    expect(recorder.received().includes(PASSWORD)).toBe(false);
    expect(recorder.received().toString('latin1').toLowerCase()).not.toContain('hello\r\n');
  });
});

test('the password of the primary is not sent to the Sentinels', async () => {
  const primary = await startRecorder();
  const sentinel = await startSentinel(primary.port);
  connect({ kind: 'sentinel', sentinels: [{ host, port: sentinel.port }], name: 'main', url: secured(1) });
  await firstBytes(primary);

  expect(sentinel.received().includes(PASSWORD)).toBe(false);
});
