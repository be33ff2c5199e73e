/** What the standard expects of a WebSocket: functions that run in a page, and what they must return. */

/** What the browser's class and OncegateSocket have in common. */
export type SocketClass = {
  readonly prototype: EventTarget;
  readonly CONNECTING: number;
  readonly OPEN: number;
  readonly CLOSING: number;
  readonly CLOSED: number;
};

/** What a check can use in the page. */
export interface Page {
  readonly Class: SocketClass;
  /** A new socket; it is closed after the check. */
  make(): Promise<WebSocket>;
  /** The next event of a type. */
  next(socket: WebSocket, type: string): Promise<Event>;
  /** A socket that is open and has received its first message. */
  open(): Promise<WebSocket>;
  /** The name of what an action throws, or null. */
  thrown(action: () => unknown): string | null;
}

export interface Check {
  readonly run: (page: Page) => Promise<unknown>;
  readonly expected: unknown;
  /** How Chromium's own class differs from the standard, if it does. */
  readonly deviation?: string;
}

const constant = (value: number) => ({ value, writable: false, enumerable: true, configurable: false });
const constants = { CONNECTING: constant(0), OPEN: constant(1), CLOSING: constant(2), CLOSED: constant(3) };

export const checks: Readonly<Record<string, Check>> = {
  'its constants are on the class and on the prototype, enumerable and read-only': {
    run: async ({ Class, make, thrown }) => {
      const names = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const;
      const of = (target: object) =>
        Object.fromEntries(names.map((name) => [name, Object.getOwnPropertyDescriptor(target, name)]));
      const socket = await make();
      return {
        class: of(Class),
        prototype: of(Class.prototype),
        instance: names.map((name) => socket[name]),
        assigned: [
          thrown(() => Object.assign(Class, { OPEN: 7 })),
          thrown(() => Object.assign(socket, { CLOSED: 7 })),
          thrown(() => Object.assign(socket, { readyState: 7 })),
          thrown(() => Object.assign(socket, { bufferedAmount: 7 })),
        ],
      };
    },
    expected: {
      class: constants,
      prototype: constants,
      instance: [0, 1, 2, 3],
      assigned: ['TypeError', 'TypeError', 'TypeError', 'TypeError'],
    },
  },

  'its attributes belong to its instances': {
    run: async ({ Class, thrown }) => [
      thrown(() => Reflect.get(Class.prototype, 'readyState')),
      thrown(() => Reflect.get(Class.prototype, 'bufferedAmount')),
      thrown(() => Reflect.get(Class.prototype, 'binaryType')),
      thrown(() => Reflect.get(Class.prototype, 'onopen')),
      Class.prototype instanceof EventTarget,
    ],
    expected: ['TypeError', 'TypeError', 'TypeError', 'TypeError', true],
  },

  'its event handlers are null at first, and keep objects alone': {
    run: async ({ Class, make }) => {
      const socket = await make();
      const types = ['onopen', 'onmessage', 'onerror', 'onclose'] as const;
      const described = types.map((type) => {
        const { get, set, enumerable, configurable } = Object.getOwnPropertyDescriptor(Class.prototype, type) ?? {};
        return [typeof get, typeof set, enumerable, configurable];
      });
      const values = [() => {}, { handleEvent() {} }, 5, 'x', true, undefined, null];
      const kept = types.map((type) =>
        values.map((value) => {
          Object.assign(socket, { [type]: value });
          return socket[type] === null ? null : (socket[type] as unknown) === value;
        }),
      );
      return { described, initially: types.map((type) => socket[type]), kept };
    },
    expected: {
      described: Array(4).fill(['function', 'function', true, true]),
      initially: [null, null, null, null],
      kept: Array(4).fill([true, true, null, null, null, null, null]),
    },
  },

  'its event handlers are called in their place among the listeners, as functions of the socket': {
    run: async ({ make, next }) => {
      const socket = await make();
      const calls: unknown[] = [];
      const note = (name: string) =>
        function (this: unknown, event: Event) {
          calls.push([name, this === socket, event.type, event.target === socket, event.currentTarget === socket]);
        };
      socket.onopen = note('replaced');
      socket.addEventListener('open', note('listener'));
      socket.onopen = note('handler');
      socket.onmessage = note('taken back');
      socket.addEventListener('message', note('listener'));
      socket.onmessage = null;
      socket.onmessage = note('handler');
      Object.assign(socket, { onclose: { handleEvent: note('never') } });
      await next(socket, 'message');
      socket.close();
      await next(socket, 'close');
      return calls;
    },
    expected: [
      ['handler', true, 'open', true, true],
      ['listener', true, 'open', true, true],
      ['listener', true, 'message', true, true],
      ['handler', true, 'message', true, true],
    ],
  },

  'its listeners are those of an EventTarget': {
    run: async ({ make, next }) => {
      const socket = await make();
      const calls: string[] = [];
      const removed = () => calls.push('removed');
      const signal = AbortSignal.abort();
      socket.addEventListener('message', removed);
      socket.removeEventListener('message', removed);
      socket.addEventListener('message', () => calls.push('aborted'), { signal });
      socket.addEventListener('message', () => calls.push('once'), { once: true });
      socket.addEventListener('message', { handleEvent: () => calls.push('object') });
      socket.addEventListener('message', null as unknown as () => void); // the standard allows it
      await next(socket, 'message');
      socket.dispatchEvent(new MessageEvent('message'));
      return calls;
    },
    expected: ['once', 'object', 'object'],
  },

  'its states and events come in this order': {
    run: async ({ make, next }) => {
      const socket = await make();
      const seen: unknown[] = [socket.readyState];
      for (const type of ['open', 'message', 'error', 'close']) {
        socket.addEventListener(type, () => seen.push(type, socket.readyState));
      }
      await next(socket, 'message');
      const closed = next(socket, 'close');
      socket.close(1000);
      seen.push(socket.readyState);
      await closed;
      return seen;
    },
    expected: [0, 'open', 1, 'message', 1, 2, 'close', 3],
  },

  'it may be closed before it is open, and fires its events later': {
    run: async ({ make, next }) => {
      const socket = await make();
      const seen: unknown[] = [];
      for (const type of ['open', 'error', 'close']) {
        socket.addEventListener(type, () => seen.push(type, socket.readyState));
      }
      const closed = next(socket, 'close');
      socket.close(3000, 'a reason');
      seen.push(socket.readyState);
      const { code, reason, wasClean } = (await closed) as CloseEvent; // it is one
      return [...seen, code, reason, wasClean];
    },
    expected: [2, 'error', 3, 'close', 3, 1006, '', false],
  },

  'its events have the classes and the properties of the standard': {
    run: async ({ make, next }) => {
      const socket = await make();
      const told = (event: Event) => {
        const { type, bubbles, cancelable, composed, defaultPrevented } = event;
        return [event.constructor.name, type, bubbles, cancelable, composed, defaultPrevented, event.target === socket];
      };
      const opened = await next(socket, 'open');
      const message = (await next(socket, 'message')) as MessageEvent; // it is one
      socket.close(4001, 'ä');
      const closed = (await next(socket, 'close')) as CloseEvent; // it is one
      return {
        opened: told(opened),
        message: [...told(message), typeof message.data, message.lastEventId, message.source, message.ports.length],
        origin: message.origin === new URL(socket.url).origin,
        closed: [...told(closed), closed.code, closed.reason, closed.wasClean],
        socket: [socket.protocol, socket.extensions],
      };
    },
    expected: {
      opened: ['Event', 'open', false, false, false, false, true],
      message: ['MessageEvent', 'message', false, false, false, false, true, 'string', '', null, 0],
      origin: true,
      closed: ['CloseEvent', 'close', false, false, false, false, true, 4001, 'ä', true],
      socket: ['oncegate.v1', ''],
    },
  },

  'its binaryType is one of two, and decides how bytes are received': {
    run: async ({ make, open, next }) => {
      const early = await make();
      const types: string[] = [early.binaryType];
      for (const type of ['arraybuffer', 'text', '', 'Blob', null, 'blob', undefined]) {
        Object.assign(early, { binaryType: type });
        types.push(early.binaryType);
      }
      const socket = await open();
      const received: unknown[] = [];
      for (const type of ['blob', 'arraybuffer', 'nodebuffer', 'blob'] as const) {
        Object.assign(socket, { binaryType: type });
        socket.send(new Uint8Array([1, 2]));
        const { data } = (await next(socket, 'message')) as MessageEvent; // it is one
        received.push([socket.binaryType, data.constructor.name, data.size ?? data.byteLength]);
      }
      return { types, received };
    },
    expected: {
      types: ['blob', 'arraybuffer', 'arraybuffer', 'arraybuffer', 'arraybuffer', 'arraybuffer', 'blob', 'blob'],
      received: [
        ['blob', 'Blob', 2],
        ['arraybuffer', 'ArrayBuffer', 2],
        ['arraybuffer', 'ArrayBuffer', 2],
        ['blob', 'Blob', 2],
      ],
    },
  },

  'its bufferedAmount counts what is not sent, even after its end': {
    run: async ({ make, open, next }) => {
      const connecting = await make();
      const socket = await open();
      const amounts: number[] = [connecting.bufferedAmount, socket.bufferedAmount];
      socket.send('hellö');
      amounts.push(socket.bufferedAmount);
      await next(socket, 'message');
      amounts.push(socket.bufferedAmount);
      const closed = next(socket, 'close');
      socket.close();
      for (const data of [
        'ä',
        '',
        '\ud800',
        new ArrayBuffer(5),
        new DataView(new ArrayBuffer(9), 3, 4),
        new Blob(['äb']),
      ]) {
        socket.send(data);
        amounts.push(socket.bufferedAmount);
      }
      await closed;
      amounts.push(socket.bufferedAmount);
      socket.send('more');
      amounts.push(socket.bufferedAmount);
      return amounts;
    },
    expected: [0, 0, 6, 0, 2, 2, 5, 10, 14, 17, 17, 21],
  },

  'nothing can be sent before it is open': {
    run: async ({ make, thrown }) => {
      const socket = await make();
      const messages = ['text', '', new ArrayBuffer(1), new Uint8Array(1), new Blob(['x']), {}, null];
      // The types do not allow these values; the standard does.
      const of = (message: unknown) => thrown(() => socket.send(message as string));
      return [...messages.map(of), of(Symbol('no text'))];
    },
    expected: [...Array(7).fill('InvalidStateError'), 'TypeError'],
  },

  'it sends texts, bytes, and everything else as a text': {
    run: async ({ open, next, thrown }) => {
      const socket = await open();
      socket.binaryType = 'arraybuffer';
      const bytes = new Uint8Array([0, 1, 2, 3, 4]);
      const messages: unknown[] = [
        ...['text', '', 'ä😀', 'a\ud800b', '\udc00'],
        ...[5, null, undefined, true, {}, [1, 2], { toString: () => 'named' }, new URL('https://example.org/a')],
        ...[bytes, bytes.buffer, bytes.subarray(1, 3), new DataView(bytes.buffer, 3), new ArrayBuffer(0)],
        ...[new Uint16Array([258]), new Blob(['a', bytes]), new Blob([])],
      ];
      const received: unknown[] = [];
      for (const message of messages) {
        const answer = next(socket, 'message');
        const returned = socket.send(message as string); // the types do not allow these values; the standard does
        const { data } = (await answer) as MessageEvent; // it is one
        received.push(data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data, returned);
      }
      const refused = thrown(() => socket.send(Symbol('no text') as unknown as string));
      return [
        refused,
        socket.readyState,
        ...received.filter((_, index) => index % 2 === 0),
        new Set(received).has(undefined),
      ];
    },
    expected: [
      'TypeError',
      1,
      ...['text', '', 'ä😀', 'a\ufffdb', '\ufffd'],
      ...['5', 'null', 'undefined', 'true', '[object Object]', '1,2', 'named', 'https://example.org/a'],
      ...[[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [1, 2], [3, 4], []],
      ...[[2, 1], [97, 0, 1, 2, 3, 4], []],
      true,
    ],
  },

  'messages of all kinds arrive in their order': {
    run: async ({ open, next }) => {
      const socket = await open();
      socket.binaryType = 'arraybuffer';
      const received: unknown[] = [];
      socket.addEventListener('message', ({ data }) => {
        received.push(typeof data === 'string' ? data : new Uint8Array(data)[0]);
      });
      for (let index = 0; index < 9; index += 3) {
        socket.send(new Blob([new Uint8Array([index])]));
        socket.send(String(index + 1));
        socket.send(new Uint8Array([index + 2]));
      }
      while (received.length < 9) await next(socket, 'message');
      return received;
    },
    expected: [0, '1', 2, 3, '4', 5, 6, '7', 8],
  },
};
