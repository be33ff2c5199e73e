/** What a WebSocket sends. */
export type Sendable = Parameters<WebSocket['send']>[0];

/** How long a message is on the wire, in bytes; a text in UTF-8. */
export function bytesOf(data: Sendable): number {
  if (data instanceof Blob) return data.size;
  if (typeof data === 'object') return data.byteLength;
  return new TextEncoder().encode(data).length;
}

/** Messages that wait for a connection, up to a limit. */
export class Outbox {
  readonly #limitBytes: number;
  #messages: Sendable[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws {DOMException} `InvalidStateError` past the limit; with a limit of 0, always */
  put(data: Sendable): void {
    const bytes = bytesOf(data);
    if (!this.#limitBytes || this.#bytes + bytes > this.#limitBytes) {
      throw new DOMException('The socket is not open, and no more than bufferBytes may wait', 'InvalidStateError');
    }
    this.#bytes += bytes;
    // As with the standard's send, what the caller does to its buffer afterwards does not matter.
    this.#messages.push(data instanceof Blob ? data : structuredClone(data));
  }

  empty(socket: { send(data: Sendable): void }): void {
    for (const message of this.#messages) socket.send(message);
    this.#messages = [];
    this.#bytes = 0;
  }
}
