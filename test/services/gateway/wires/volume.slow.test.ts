import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { until } from '../../../support/machine/wait.ts';
import { clientFrame } from '../../../support/sockets/frames.ts';
import { RawClient } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';
import { serverFrame, setRelay, startRawUpstream, switching } from '../upstream/stage.ts';

const MIB = 1_048_576;
/** The reader rests now and then: without back-pressure all bytes would soon wait in the gateway. */
const REST_EVERY = MIB;
const REST_MS = 5;

test('100 MB pass, and are the same, while no more than a few MB wait anywhere', async () => {
  const frames = 100;
  const frame = serverFrame(2, Buffer.alloc(MIB, 'oncegate'));
  let written = 0;
  const upstream = await startRawUpstream(async (socket, accept) => {
    socket.write(switching(accept));
    for (let sent = 0; sent < frames; sent += 1) {
      written += frame.length;
      if (!socket.write(frame)) await new Promise((resolve) => socket.once('drain', resolve));
    }
  });
  const { gateway, ticket } = await setRelay(upstream.port);
  const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
  client.socket.removeAllListeners('data'); // it would keep everything
  const hash = createHash('sha256');
  const whole = frames * frame.length;
  let bytes = 0;
  let mostUnderWay = 0;
  let mostHeld = 0;
  let nextRest = REST_EVERY;
  let head: Buffer | undefined = Buffer.alloc(0);
  client.socket.on('data', (chunk: Buffer) => {
    if (head !== undefined) {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      chunk = head.subarray(end + 4);
      head = undefined;
    }
    // What comes behind the last frame is the gateway's own.
    const rest = chunk.subarray(0, whole - bytes);
    mostUnderWay = Math.max(mostUnderWay, written - bytes);
    mostHeld = Math.max(mostHeld, process.memoryUsage().arrayBuffers);
    bytes += rest.length;
    if (bytes >= nextRest) {
      nextRest = bytes + REST_EVERY;
      client.socket.pause();
      setTimeout(() => client.socket.resume(), REST_MS);
    }
    if (rest.length > 0) hash.update(rest);
  });
  const expected = createHash('sha256');
  for (let sent = 0; sent < frames; sent += 1) expected.update(frame);
  await until(() => bytes === whole);

  expect(hash.digest('hex')).toBe(expected.digest('hex'));
  // The kernel's buffers of two connections, and a frame or two.
  expect(mostUnderWay).toBeLessThan(32 * MIB);
  // All three ends are in this process.
  expect(mostHeld).toBeLessThan(60 * MIB);
});

test('a client that does not read holds its own upstream back, and nobody else', async () => {
  const written: number[] = [];
  const upstream = await startRawUpstream((socket, accept, head) => {
    socket.write(switching(accept));
    if (!head.includes('GET /flood')) {
      socket.on('data', () => socket.write(serverFrame(1, 'answer')));
      return;
    }
    const index = written.push(0) - 1;
    const chunk = serverFrame(2, Buffer.alloc(65_536));
    const flood = (): void => {
      while (written[index] !== undefined && written[index] < 256 * MIB) {
        written[index] += chunk.length;
        if (!socket.write(chunk)) return void socket.once('drain', flood);
      }
    };
    flood();
  });
  const { gateway, issue } = await setRelay(upstream.port);
  const slow = await issue();
  const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: slow.value, target: '/flood' }));
  client.socket.pause();
  await until(() => written.length === 1);

  const others = await Promise.all(
    Array.from({ length: 1_000 }, async (_, index) => {
      const { value } = await issue(`subject ${index}`);
      return openWebSocket(`ws://127.0.0.1:${gateway.port}/?ticket=${value}`);
    }),
  );
  for (const other of others) other.socket.send('question');
  await until(() => others.every(({ messages }) => messages.length === 1));

  expect(await gateway.metric('oncegate_connections_open')).toBe(1_001);
  // What the kernel's buffers on the way hold, and the sockets' own.
  expect(written[0]).toBeLessThan(64 * MIB);
});

test('what a client sends is held back by an upstream that does not read', async () => {
  const upstream = await startRawUpstream((socket, accept) => {
    socket.write(switching(accept));
    socket.pause();
  });
  const { gateway, ticket } = await setRelay(upstream.port);
  const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: ticket.value }));
  expect((await client.outcome).kind).toBe('open');
  const frame = clientFrame(2, Buffer.alloc(65_535));
  let sent = 0;
  while (sent < 256 * MIB && client.socket.write(frame)) sent += frame.length;
  for (let blocked = 0; blocked < 50 && sent < 256 * MIB && !client.socket.destroyed; ) {
    await new Promise((resolve) => setImmediate(resolve));
    if (client.socket.writableNeedDrain) blocked += 1;
    else if (client.socket.write(frame)) sent += frame.length;
  }

  expect(client.socket.destroyed).toBe(false);
  expect(sent).toBeLessThan(64 * MIB);
});
