import { beforeAll, describe, expect, test } from 'vitest';
import { clientCodes } from '../../../client/errors/connect-refused.ts';
import { closeReasons } from '../../../shared/close-codes.ts';
import { refusalCodes } from '../../../shared/refusals.ts';
import { createFixtureProject } from './fixture-project.ts';

/** The errors of the package, each with all codes that it may have. */
const errors = [
  ['ConnectRefused', [...refusalCodes, ...Object.keys(clientCodes)]],
  ['ConnectionEnded', [...closeReasons, 'closed']],
] as const;

function switchOver(name: string, codes: readonly string[]): string {
  return `
    import type { ConnectionEnded, ConnectRefused } from 'oncegate/client';
    export function handle({ code }: ${name}): string {
      switch (code) {
        ${codes.map((code) => `case '${code}': return 'handled';`).join('\n')}
        default: {
          const never: never = code;
          return never;
        }
      }
    }`;
}

const switches = errors.flatMap(([name, codes]) => [
  [`${name}-all.ts`, switchOver(name, codes)],
  [`${name}-more.ts`, switchOver(name, [...codes, 'made_up'])],
  ...codes.map((missing) => [
    `${name}-without-${missing}.ts`,
    switchOver(
      name,
      codes.filter((code) => code !== missing),
    ),
  ]),
]);

const IMPORTS = `
  import { connect, OncegateSocket } from 'oncegate/client';
  import { WebSocket as NodeSocket } from 'ws';`;

/** Programs of an application, by the names of their files. */
const programs: Readonly<Record<string, string>> = {
  ...Object.fromEntries(switches),
  'class-given.ts': `${IMPORTS}
    const given: NodeSocket = await connect({ WebSocket: NodeSocket });
    given.terminate();
    const ordinary: WebSocket = await connect();
    ordinary.close();`,
  'class-mistaken.ts': `${IMPORTS}
    const given: WebSocket = await connect({ WebSocket: NodeSocket });`,
  'class-missing.ts': `${IMPORTS}
    (await connect()).terminate();`,
  'socket.ts': `${IMPORTS}
    const socket = new OncegateSocket({ WebSocket: NodeSocket, renewBefore: 60, headers: async () => ({ a: 'b' }) });
    socket.onmessage = ({ data }) => void data;
    socket.onerror = ({ error }) => error;
    socket.onstatechange = function ({ state }) { return [state, this.state]; };
    socket.addEventListener('close', ({ code }) => code.toFixed());
    socket.addEventListener('statechange', ({ state, waitMs }) => [state === 'waiting', waitMs?.toFixed()]);
    socket.addEventListener('error', ({ error }) => error, { once: true });
    socket.addEventListener('my-own', (event) => event.type);`,
  'socket-as-websocket.ts': `${IMPORTS}
    const socket: WebSocket = new OncegateSocket({});
    const target: EventTarget = socket;
    function open(on: WebSocket): void {
      on.onopen = function () { this.send('text'); };
      on.onclose = (event: CloseEvent) => event.code;
      on.addEventListener('message', ({ data }: MessageEvent<string>) => data);
      on.removeEventListener('message', () => {});
      on.close(1000);
    }
    open(new OncegateSocket());
    const sockets: WebSocket[] = [socket, new OncegateSocket(), await connect()];
    class Chat extends OncegateSocket {
      constructor(_url: string | URL) { super({ path: '/chat' }); }
    }
    const given: typeof WebSocket = Chat;
    const made: WebSocket = new given('wss://chat.example.org');`,
  'socket-listeners.ts': `${IMPORTS}
    const socket = new OncegateSocket();
    const onState = ({ state }: { readonly state: string }): void => void state;
    socket.addEventListener('statechange', onState);
    socket.removeEventListener('statechange', onState);
    socket.addEventListener('open', { handleEvent: (event) => event.type });
    socket.addEventListener('message', function ({ data }) { this.bufferedAmount.toFixed(); return data; });
    socket.addEventListener('close', null);`,
  'socket-misused.ts': `${IMPORTS}
    const socket = new OncegateSocket({ renewbefore: 60 });
    socket.addEventListener('open', ({ data }) => data);
    socket.onclose = ({ data }) => data;`,
};

let diagnostics: string[];

// One run of the compiler for all of them: it takes most of the time.
beforeAll(async () => {
  diagnostics = await createFixtureProject().compile(programs);
});

/** What the compiler says of the files whose names begin like this, without the place. */
function saidOf(prefix: string): string[] {
  return diagnostics.filter((line) => line.startsWith(prefix)).map((line) => line.replace(/\(\d+,\d+\)/, ''));
}

describe.each(errors)('a switch over the code of a %s', (name, codes) => {
  test('compiles with every code', () => {
    expect(saidOf(`${name}-all.ts`)).toEqual([]);
  });

  test('does not compile if any one is missing', () => {
    const expected = codes.map(
      (code) => `${name}-without-${code}.ts: error TS2322: Type '"${code}"' is not assignable to type 'never'.`,
    );
    expect(saidOf(`${name}-without-`).toSorted()).toEqual(expected.toSorted());
  });

  test('does not compile with a code that does not exist', () => {
    expect(saidOf(`${name}-more.ts`)).toEqual([expect.stringContaining('\'"made_up"\' is not comparable to type')]);
  });
});

describe('the socket that connect resolves with', () => {
  test('is of the given class, or a WebSocket without one', () => {
    expect(saidOf('class-given.ts')).toEqual([]);
  });

  test('is not of another class', () => {
    expect(saidOf('class-mistaken.ts')).toEqual([
      expect.stringContaining("error TS2741: Property 'dispatchEvent' is missing"),
    ]);
    expect(saidOf('class-missing.ts')).toEqual([expect.stringContaining("error TS2339: Property 'terminate'")]);
  });
});

describe('an OncegateSocket', () => {
  test('takes any WebSocket class, can be used as a WebSocket, and types its events', () => {
    expect(saidOf('socket.ts')).toEqual([]);
  });

  test('is a WebSocket, and a class that extends it may be given where one is wanted', () => {
    expect(saidOf('socket-as-websocket.ts')).toEqual([]);
    expect(saidOf('socket-listeners.ts')).toEqual([]);
  });

  test('has no options and no event properties that do not exist', () => {
    expect(saidOf('socket-misused.ts').map((line) => /TS\d+/.exec(line)?.[0])).toEqual(['TS2561', 'TS2339', 'TS2339']);
  });
});
