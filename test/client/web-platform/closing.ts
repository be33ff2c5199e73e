import type { Check } from './checks.ts';

/** What the standard expects of `close()`: how Web IDL converts its arguments, and what they do. */
export const closings: Readonly<Record<string, Check>> = {
  'the arguments of close() are checked, open or not': {
    run: async ({ make, open, next, thrown }) => {
      const wrong: unknown[][] = [
        ...[[0], [1], [999], [999.4], [1001], [1005], [1006], [2999], [2999.4], [5000], [65536 + 1000], [-1]],
        ...[[Number.NaN], [Number.POSITIVE_INFINITY], ['abc'], [''], [null], [true], [{}]],
        ...[[1000n], [Symbol('no number')], [1000, Symbol('no text')]],
        ...[
          [1000, 'x'.repeat(124)],
          [3000, 'ä'.repeat(62)],
          [1001, 'x'.repeat(124)],
        ],
      ];
      const opened = await open();
      const ended = await open();
      const end = next(ended, 'close');
      ended.close();
      await end;
      const connecting = await make();
      return [connecting, opened, ended].map((socket) => [
        // The types do not allow these values; the standard does.
        ...wrong.map((values) => thrown(() => socket.close(...(values as [])))),
        socket.readyState,
      ]);
    },
    expected: [0, 1, 3].map((readyState) => [
      ...Array(19).fill('InvalidAccessError'),
      ...['TypeError', 'TypeError', 'TypeError', 'SyntaxError', 'SyntaxError', 'InvalidAccessError', readyState],
    ]),
  },

  'the arguments of close() become a code and a reason': {
    run: async ({ open, next }) => {
      const right: unknown[][] = [
        ...[[], [undefined], [1000], [1000, ''], [3000, undefined], [4999], ['3002', 7], [[3003]]],
        ...[[{ valueOf: () => 3004 }], [3005, null], [3006, {}], [3007, 'x\ud800']],
        ...[
          [4000, 'x'.repeat(123)],
          [4000, '\udc00'.repeat(41)],
        ],
      ];
      return Promise.all(
        right.map(async (values) => {
          const socket = await open();
          const closed = next(socket, 'close');
          const returned = socket.close(...(values as [])); // the types do not allow these values; the standard does
          const { code, reason, wasClean } = (await closed) as CloseEvent; // it is one
          return [returned === undefined, code, reason, wasClean];
        }),
      );
    },
    expected: [
      ...[
        [1005, ''],
        [1005, ''],
        [1000, ''],
        [1000, ''],
        [3000, ''],
        [4999, ''],
        [3002, '7'],
        [3003, ''],
      ],
      ...[
        [3004, ''],
        [3005, 'null'],
        [3006, '[object Object]'],
        [3007, 'x\ufffd'],
      ],
      ...[
        [4000, 'x'.repeat(123)],
        [4000, '\ufffd'.repeat(41)],
      ],
    ].map(([code, reason]) => [true, code, reason, true]),
  },

  'close() takes a reason without a code': {
    deviation: 'an undefined code in front of a reason is 0',
    run: async ({ open, next }) => {
      const closed = async (...values: [undefined, string?]) => {
        const socket = await open();
        const end = next(socket, 'close');
        socket.close(...values);
        const { code, reason } = (await end) as CloseEvent; // it is one
        return [code, reason];
      };
      return [await closed(undefined, undefined), await closed(undefined, ''), await closed(undefined, 'why')];
    },
    expected: [
      [1005, ''],
      [1005, ''],
      [1000, 'why'],
    ],
  },

  'close() takes the nearest integer for a code, and the even one of two': {
    deviation: 'fractions are cut off',
    run: async ({ open, next, thrown }) => {
      const codes = [];
      for (const fraction of [999.5, 1000.4, 1000.5, 2999.5, 3000.5, 3000.6, 3001.5, 4998.5, 4999.4]) {
        const socket = await open();
        const end = next(socket, 'close');
        socket.close(fraction);
        codes.push(((await end) as CloseEvent).code); // it is one
      }
      const socket = await open();
      return [...codes, ...[999.4, 1000.6, 2999.4, 4999.5].map((fraction) => thrown(() => socket.close(fraction)))];
    },
    expected: [1000, 1000, 1000, 3000, 3000, 3001, 3002, 4998, 4999, ...Array(4).fill('InvalidAccessError')],
  },

  'close() does nothing once it is closing': {
    run: async ({ open, next }) => {
      const socket = await open();
      const closed = next(socket, 'close');
      socket.close(4001, 'first');
      socket.close(4002, 'second');
      const { code, reason } = (await closed) as CloseEvent; // it is one
      socket.close();
      return [code, reason, socket.readyState];
    },
    expected: [4001, 'first', 3],
  },

  'no message comes any more once it is closing': {
    run: async ({ open, next }) => {
      const socket = await open();
      let messages = 0;
      socket.onmessage = () => {
        messages += 1;
      };
      const closed = next(socket, 'close');
      for (let index = 0; index < 20; index += 1) socket.send('an echo');
      socket.close();
      await closed;
      return messages;
    },
    expected: 0,
  },
};
