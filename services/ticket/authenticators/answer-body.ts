const MAX_BYTES = 65_536;

/** The body of a counterpart's answer. If it is longer than 64 KiB, the rest is not read. @returns undefined then */
export async function readBody(response: Response): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > MAX_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
