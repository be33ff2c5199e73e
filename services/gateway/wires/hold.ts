import { constants } from 'node:os';
import type { Duplex } from 'node:stream';

type Handle = Partial<Record<string, unknown>>;

/** How bytes leave a socket below node:stream: the methods of its handle that node:net calls. */
const HANDLE_WRITES = [
  'writev',
  'writeBuffer',
  'writeUtf8String',
  'writeAsciiString',
  'writeLatin1String',
  'writeUcs2String',
];

const CANCELED = -constants.errno.ECANCELED;

/**
 * Keeps a socket shut until a decision about it. A byte that somebody writes before is dropped and the socket is
 * destroyed, whichever way it was written.
 */
export class Hold {
  readonly #socket: Duplex;
  readonly #onWrite: () => void;
  /** Undoes what the hold has replaced. */
  readonly #undo: Array<() => void> = [];

  /** @param onWrite called after the socket was destroyed for a byte; once */
  constructor(socket: Duplex, onWrite: () => void) {
    this.#socket = socket;
    this.#onWrite = onWrite;
    const refuse = (...args: readonly unknown[]): void => {
      const done = args.at(-1) as (error: Error) => void; // the last argument of `_write` and of `_writev`
      done(this.#destroy());
    };
    this.#replace(socket, '_write', refuse);
    this.#replace(socket, '_writev', refuse);
    const handle = '_handle' in socket ? (socket._handle as Handle | null) : null;
    if (handle === null) return;
    const cancel = (): number => {
      this.#destroy();
      return CANCELED;
    };
    for (const name of HANDLE_WRITES) if (typeof handle[name] === 'function') this.#replace(handle, name, cancel);
  }

  /** Lets the socket be written to. If somebody has written to it while it was corked, it is destroyed. */
  release(): void {
    if (this.#socket.writableLength > 0) this.#destroy();
    // In reverse order: so V8 takes back the shape of the objects, instead of making them slow.
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #destroy(): Error {
    const error = new Error('the socket was written to before the upgrade was decided');
    if (this.#socket.destroyed) return error;
    destroyUnread(this.#socket, error);
    this.#onWrite();
    return error;
  }

  #replace(target: object, name: string, value: unknown): void {
    const own = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: true });
    this.#undo.push(() => {
      if (own === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, own);
    });
  }
}

/**
 * Destroys a socket, and drops what its client has sent. Otherwise a library would read that from the destroyed socket,
 * and the application would get messages of a client without a ticket.
 */
export function destroyUnread(socket: Duplex, error: Error): void {
  for (const event of ['data', 'readable']) socket.removeAllListeners(event);
  while (socket.read() !== null);
  socket.destroy(error);
}
