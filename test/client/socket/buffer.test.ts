import { expect, onTestFinished, test } from 'vitest';
import type { OncegateSocketOptions } from '../../../client/options.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';
import { until } from '../../support/machine/wait.ts';
import { SOON, setStage } from '../stage.ts';

async function make(options: Partial<OncegateSocketOptions> = {}) {
  const stage = await setStage();
  const socket = new OncegateSocket({ ...stage.options, ...SOON, ...options });
  onTestFinished(() => socket.close());
  socket.binaryType = 'arraybuffer';
  const received: unknown[] = [];
  socket.addEventListener('message', ({ data }) => {
    received.push(typeof data === 'string' ? data : [...new Uint8Array(data)]);
  });
  return { stage, socket, received };
}

const invalidState = expect.objectContaining({ name: 'InvalidStateError' });

function thrownBy(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('send() throws while the connection is down', async () => {
  const { socket } = await make();
  expect(thrownBy(() => socket.send('too early'))).toEqual(invalidState);
  expect(thrownBy(() => socket.send(''))).toEqual(invalidState);
  expect(socket.bufferedAmount).toBe(0);
});

test('messages wait for the connection in order, each as it was when it was sent', async () => {
  const { stage, socket, received } = await make({ bufferBytes: 100 });
  const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
  socket.send('ä');
  socket.send(bytes.subarray(2, 5));
  socket.send(bytes.buffer);
  socket.send(new DataView(bytes.buffer, 6));
  socket.send('');
  expect(socket.bufferedAmount).toBe(2 + 3 + 8 + 2);
  bytes.fill(9);
  await until(() => received.length === 6, { what: 'all came back' });

  expect(received.slice(1)).toEqual(['ä', [2, 3, 4], [0, 1, 2, 3, 4, 5, 6, 7], [6, 7], '']);
  expect(socket.bufferedAmount).toBe(0);
  socket.send('directly');
  await until(() => received.at(-1) === 'directly');

  stage.gate.cut();
  await until(() => socket.readyState === OncegateSocket.CONNECTING);
  socket.send('meanwhile');
  stage.gate.restore();
  await until(() => received.at(-1) === 'meanwhile');
  expect(received.filter((message) => message === 'ä')).toHaveLength(1);
});

test('a Blob can wait too', async () => {
  const { socket, received } = await make({ bufferBytes: 3 });
  socket.send(new Blob([new Uint8Array([1, 2, 3])]));
  expect(socket.bufferedAmount).toBe(3);
  await until(() => received.length === 2);
  expect(received[1]).toEqual([1, 2, 3]);
});

test('no more than bufferBytes wait', async () => {
  const { socket, received } = await make({ bufferBytes: 4 });
  socket.send('123');
  expect(thrownBy(() => socket.send('ä'))).toEqual(invalidState);
  socket.send('4');
  expect(socket.bufferedAmount).toBe(4);
  expect(thrownBy(() => socket.send('5'))).toEqual(invalidState);
  await until(() => received.length === 3);
  expect(received.slice(1)).toEqual(['123', '4']);
});

test('what is sent after the end counts as buffered, and is never sent', async () => {
  const { socket, received } = await make({ bufferBytes: 100 });
  await until(() => received.length === 1);
  socket.close(1000);
  socket.send('ä');
  expect(socket.bufferedAmount).toBe(2);
  await until(() => socket.readyState === OncegateSocket.CLOSED);
  socket.send(new Uint8Array(3));
  expect(socket.bufferedAmount).toBe(5);
  expect(received).toHaveLength(1);
});
