import { describe, expect, test } from 'vitest';
import { clientCodes } from '../../../client/errors/connect-refused.ts';
import { closeReasons } from '../../../shared/close-codes.ts';
import { refusalCodes } from '../../../shared/refusals.ts';
import { createFixtureProject } from './fixture-project.ts';

const codes = [...refusalCodes, ...Object.keys(clientCodes)];

function switchOver(subject: string, cases: readonly string[]): string {
  return `
    import type { ConnectionEnded, ConnectRefused } from 'oncegate/client';
    export function handle({ code }: ${subject}): string {
      switch (code) {
        ${cases.map((code) => `case '${code}': return 'handled';`).join('\n')}
        default: {
          const never: never = code;
          return never;
        }
      }
    }`;
}

/** The same switch as often as there are cases, each time without one of them, in files of its own. */
function withoutOne(subject: string, cases: readonly string[]): Record<string, string> {
  const files = cases.map((missing): [string, string] => [
    `without-${missing}.ts`,
    switchOver(
      subject,
      cases.filter((code) => code !== missing),
    ),
  ]);
  return Object.fromEntries(files);
}

describe.each([
  ['ConnectRefused', codes],
  ['ConnectionEnded', [...closeReasons, 'closed']],
])('a switch over the code of a %s', (subject, cases) => {
  test('compiles where it has every code', async () => {
    expect(await createFixtureProject().compile({ 'all.ts': switchOver(subject, cases) })).toEqual([]);
  });

  test('does not compile where any one is missing', async () => {
    const diagnostics = await createFixtureProject().compile(withoutOne(subject, cases));
    const expected = cases.map(
      (code) => `without-${code}.ts: error TS2322: Type '"${code}"' is not assignable to type 'never'.`,
    );
    expect(diagnostics.map((line) => line.replace(/\(\d+,\d+\)/, '')).toSorted()).toEqual(expected.toSorted());
  });

  test('does not compile with a code that there is not', async () => {
    const diagnostics = await createFixtureProject().compile({ 'more.ts': switchOver(subject, [...cases, 'made_up']) });
    expect(diagnostics).toEqual([expect.stringContaining('\'"made_up"\' is not comparable to type')]);
  });
});

describe('the socket that connect resolves with', () => {
  const imports = `
    import { connect, OncegateSocket } from 'oncegate/client';
    import { WebSocket as NodeSocket } from 'ws';`;

  test('is of the class that was given, and else a WebSocket', async () => {
    const diagnostics = await createFixtureProject().compile({
      'right.ts': `${imports}
        const given: NodeSocket = await connect({ WebSocket: NodeSocket });
        given.terminate();
        const ordinary: WebSocket = await connect();
        ordinary.close();`,
    });
    expect(diagnostics).toEqual([]);
  });

  test('is not of another class', async () => {
    const diagnostics = await createFixtureProject().compile({
      'given.ts': `${imports}
        const given: WebSocket = await connect({ WebSocket: NodeSocket });`,
      'ordinary.ts': `${imports}
        (await connect()).terminate();`,
    });
    expect(diagnostics).toEqual([
      expect.stringMatching(/^given\.ts.*error TS2741: Property 'dispatchEvent' is missing/),
      expect.stringMatching(/^ordinary\.ts.*error TS2339: Property 'terminate'/),
    ]);
  });
});

describe('an OncegateSocket', () => {
  test('takes any WebSocket class, is a WebSocket to those who use one, and types its events', async () => {
    const diagnostics = await createFixtureProject().compile({
      'socket.ts': `
        import { OncegateSocket } from 'oncegate/client';
        import { WebSocket as NodeSocket } from 'ws';
        const socket = new OncegateSocket({ WebSocket: NodeSocket, renewBefore: 60, headers: async () => ({ a: 'b' }) });
        type Handlers = 'onopen' | 'onmessage' | 'onerror' | 'onclose';
        type Listening = 'addEventListener' | 'removeEventListener';
        const like: Omit<WebSocket, Handlers | Listening> = socket;
        like.close();
        socket.onmessage = ({ data }) => void data;
        socket.addEventListener('close', ({ code }) => code.toFixed());
        socket.addEventListener('statechange', ({ state, waitMs }) => [state === 'waiting', waitMs?.toFixed()]);
        socket.addEventListener('error', ({ error }) => error, { once: true });
        socket.addEventListener('my-own', (event) => event.type);`,
    });
    expect(diagnostics).toEqual([]);
  });

  test('has no events that there are not', async () => {
    const diagnostics = await createFixtureProject().compile({
      'wrong.ts': `
        import { OncegateSocket } from 'oncegate/client';
        const socket = new OncegateSocket({ renewbefore: 60 });
        socket.addEventListener('open', ({ data }) => data);
        socket.onclose = ({ data }) => data;`,
    });
    expect(diagnostics.map((line) => /TS\d+/.exec(line)?.[0])).toEqual(['TS2561', 'TS2339', 'TS2339']);
  });
});
