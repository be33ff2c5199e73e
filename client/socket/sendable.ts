/** What a WebSocket sends. */
export type Sendable = Parameters<WebSocket['send']>[0];

/** How long something is on the wire, in bytes; a text in UTF-8. */
export function bytesOf(data: Sendable): number {
  return new Blob([data]).size;
}

/** What may wait to be sent: as with the standard's send, what the caller does to its buffer afterwards does not matter. */
export function copyOf(data: Sendable): Sendable {
  const { buffer = data, byteOffset, byteLength } = Object(data);
  if (byteLength !== undefined) return new Uint8Array(buffer, byteOffset, byteLength).slice();
  return data instanceof Blob ? data : `${data}`;
}
