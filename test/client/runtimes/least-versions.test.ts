import { readFile } from 'node:fs/promises';
import { createContext, runInContext } from 'node:vm';
import { rolldown } from 'rolldown';
import { describe, expect, test } from 'vitest';

/** The client as one script for these runtimes; newer syntax is lowered. */
async function bundleFor(target: string[] | string): Promise<string> {
  const bundle = await rolldown({ input: 'client/index.ts', platform: 'browser', transform: { target } });
  const { output } = await bundle.generate({ format: 'iife', name: 'client', minify: true });
  await bundle.close();
  return output[0].code;
}

const page = await readFile('docs/client.md', 'utf8');

/** What the page says of each runtime. */
const leastVersions = Object.fromEntries(
  [...(/## Least versions\n([^#]*)/.exec(page)?.[1] ?? '').matchAll(/^\| (\w+)[^|]* \| ([\d.]+)/gm)].map(
    ([, runtime = '', version = '']) => [runtime.toLowerCase(), version],
  ),
);
/** The globals that the page says the client works without. */
const dispensable = [...(/It works without (.*?)\. Without/.exec(page)?.[1] ?? '').matchAll(/`([\w.]+)`/g)].map(
  ([, name = '']) => name,
);

/** Methods that are newer than the least versions. */
const NEWER = ['Array.prototype.toSorted', 'Array.prototype.with', 'Object.groupBy', 'Promise.withResolvers'].concat(
  ['Array.fromAsync', 'Set.prototype.union', 'String.prototype.isWellFormed', 'Promise.try'],
  ['AbortSignal.prototype.throwIfAborted', 'Iterator'],
);

describe('the least versions of the page', () => {
  const { chrome, firefox, safari, node } = leastVersions;
  const targets = [`chrome${chrome}`, `firefox${firefox}`, `safari${safari}`, `node${node}`];

  test('know all syntax of the client', async () => {
    expect((await bundleFor(targets)) === (await bundleFor('esnext'))).toBe(true);
  });

  test.each(['chrome97', 'firefox92', 'safari16.3'])('are the least: %s does not know all of it', async (older) => {
    expect((await bundleFor([older])) === (await bundleFor('esnext'))).toBe(false);
  });
});

/** Sockets that open at once, in the manner of React Native: their events are plain objects. */
class PlainSocket {
  #listeners: Array<readonly [string, (event: object) => void]> = [];
  binaryType = '';
  constructor() {
    setTimeout(() => this.fire('open'));
    setTimeout(() => this.fire('message', { data: 'hello' }), 1);
  }
  fire(type: string, properties: object = {}): void {
    for (const [of, listener] of this.#listeners) if (of === type) listener({ type, ...properties });
  }
  addEventListener(type: string, listener: (event: object) => void): void {
    this.#listeners.push([type, listener]);
  }
  removeEventListener(type: string, listener: (event: object) => void): void {
    this.#listeners = this.#listeners.filter(([of, known]) => of !== type || known !== listener);
  }
  send(): void {}
  close(code = 1005, reason = ''): void {
    setTimeout(() => this.fire('close', { code, reason, wasClean: true }));
  }
}

const TICKET = { id: 'AAAAAAAAAAAAAAAAAAAAAA', url: 'ws://127.0.0.1:1', protocols: ['oncegate.v1'] };

/** What a runtime without some names has, with a ticket service that answers after `delayMs`. */
function runtimeWithout(names: readonly string[], delayMs = 0): object {
  const fetch = async () => {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    return { ok: true, status: 201, headers: new Map(), json: async () => TICKET };
  };
  const { setTimeout: timer, clearTimeout, queueMicrotask, URL, URLSearchParams, Headers, Blob, Request } = globalThis;
  const { Response, EventTarget, Event, MessageEvent, DOMException, AbortController } = globalThis;
  const context = createContext({
    ...{ setTimeout: timer, clearTimeout, queueMicrotask, URL, URLSearchParams, Headers, Blob, Request },
    ...{ Response, EventTarget, Event, MessageEvent, DOMException, AbortController, fetch },
    AbortSignal: class {}, // a name of this context: the methods of the real one stay
    WebSocket: PlainSocket,
  });
  for (const name of names) runInContext(`try { delete ${name} } catch {}`, context);
  return context;
}

/** Opens a socket, and calls `close()` with a code that no close may have; then closes it. */
const TRIAL = `(async () => {
  const tickets = 'http://localhost/tickets';
  await client.connect({ tickets });
  const socket = new client.OncegateSocket({ tickets });
  const seen = [];
  socket.addEventListener('open', { handleEvent: ({ type }) => seen.push(type) }, { once: true });
  socket.addEventListener('statechange', ({ state }) => seen.push(state));
  const never = () => seen.push('never');
  socket.addEventListener('open', never);
  socket.removeEventListener('open', never);
  await new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(seen.push(data)); });
  try { socket.close(1) } catch ({ name }) { seen.push(name) }
  await new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve(seen.push([code, reason, wasClean].join()));
    socket.close(4001, 'bye');
  });
  return seen.join(' ');
})()`;

describe('the client works', () => {
  test.each([
    ['with all of them', []],
    ...dispensable.map((name) => [`without ${name}`, [name]] as const),
    ['without any of them', dispensable],
    ['without methods that are newer than the least versions', NEWER],
  ] as const)('%s', async (_, names) => {
    const context = runtimeWithout(names);
    runInContext(await bundleFor('esnext'), context);
    expect(await runInContext(TRIAL, context)).toBe(
      'issuing connecting open open hello InvalidAccessError closing closed 4001,bye,true',
    );
  });

  test.each([[[]], [dispensable]])('in time, and until it is aborted, without %j', async (names) => {
    const context = runtimeWithout(names, 60_000);
    runInContext(await bundleFor('esnext'), context);
    const trial = (options: string) =>
      runInContext(`client.connect({ tickets: 'http://localhost/t', ${options} }).catch((error) => error)`, context);
    expect(await trial('timeoutMs: 5')).toMatchObject({
      code: 'service_unreachable',
      cause: { name: 'TimeoutError' },
    });
    const stop = 'const stop = new AbortController(); setTimeout(() => stop.abort(), 5);';
    const aborted = await runInContext(
      `${stop} client.connect({ tickets: 'http://localhost/t', signal: stop.signal }).catch((error) => error)`,
      context,
    );
    expect(aborted).toMatchObject({ name: 'AbortError' });
  });
});
