/** What a WebSocket sends. */
export type Sendable = Parameters<WebSocket['send']>[0];

/** The length of a message in bytes; a text counts as UTF-8. */
export function byteLengthOf(data: Sendable): number {
  // React Native makes no Blob of bytes.
  return Object(data).byteLength ?? new Blob([data]).size;
}

/** A copy that the caller can no longer change: a message is sent as it was when it was handed over. */
export function copyOf(data: Sendable): Sendable {
  if (data instanceof Blob) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  // Told by its property: an ArrayBuffer of another frame is no instance of this one's class.
  if (Object(data).byteLength !== undefined) return new Uint8Array(data as ArrayBuffer).slice();
  return `${data}`;
}
