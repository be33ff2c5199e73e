import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../client/connect/connect.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';

const TICKET = { id: 'AAAAAAAAAAAAAAAAAAAAAA', url: 'ws://127.0.0.1:1', protocols: ['oncegate.v1'] };

/** A class whose sockets open, get two messages and end, each so many microtasks after the one before. */
function early(turns: number, ends: boolean) {
  return class extends EventTarget {
    binaryType = 'blob';
    constructor() {
      super();
      setTimeout(() => this.#run());
    }
    async #run(): Promise<void> {
      const close = Object.assign(new Event('close'), { code: 1008, reason: 'slow_consumer', wasClean: true });
      const messages = ['first', 'second'].map((data) => new MessageEvent('message', { data }));
      for (const event of [new Event('open'), ...messages, ...(ends ? [close] : [])]) {
        this.dispatchEvent(event);
        for (let turn = 0; turn < turns; turn += 1) await undefined;
      }
    }
    close(): void {}
  };
}

describe.each([0, 1, 2, 3, 7, 20])('a socket whose first message comes %i microtasks after open', (turns) => {
  test('loses none of them between connect() and its caller', async () => {
    const socket = await connect<EventTarget>({ tickets: async () => TICKET, WebSocket: early(turns, false) });
    const messages: unknown[] = [];
    await new Promise<void>((resolve) => {
      socket.addEventListener('message', (event) => {
        if (messages.push((event as MessageEvent).data) === 2) resolve();
      });
    });
    expect(messages).toEqual(['first', 'second']);
  });

  test('loses none as an OncegateSocket, and not its end', async () => {
    const socket = new OncegateSocket({
      tickets: async () => TICKET,
      WebSocket: early(turns, true),
      shouldReconnect: () => false,
    });
    onTestFinished(() => socket.close());
    const messages: unknown[] = [];
    socket.onmessage = ({ data }) => messages.push(data);
    await new Promise((resolve) => {
      socket.onclose = resolve;
    });
    expect(messages).toEqual(['first', 'second']);
  });
});
