const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The text of UTF-8 bytes; undefined if they are not UTF-8. A byte order mark stays in the text.
 *
 * Attack: a lenient decoder reads every malformed byte as U+FFFD, so that two names become one.
 */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The value of a JSON text in UTF-8 (RFC 8259 §8.1), which may begin with a byte order mark; undefined if it is none. */
export function utf8Json(bytes: Uint8Array): unknown {
  const text = utf8Text(bytes);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
}
