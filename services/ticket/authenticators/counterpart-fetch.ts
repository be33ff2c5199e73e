/** The longest answer that is read from a counterpart, as SECURITY.md says. Decompressed bytes count. */
export const MAX_ANSWER_BYTES = 65_536;

/** Statuses that have no body (RFC 9110 §15.3.5, §15.3.6, §15.4.5). */
const BODILESS = [204, 205, 304];

/** The options of `fetch`, as libraries pass them. */
type Init = { readonly [Name in keyof RequestInit]: RequestInit[Name] | undefined };

/**
 * `fetch` for every counterpart. The whole answer has arrived when it resolves, within the time of `init.signal`. A
 * longer body than {@link MAX_ANSWER_BYTES} is not read on: a refusal then loses it.
 *
 * @throws if a 200 is too long, and whatever `fetch` throws
 */
export async function counterpartFetch(url: string | URL, init: Init): Promise<Response> {
  // An option that is undefined counts as absent (WebIDL).
  const { status, statusText, headers, body } = await fetch(url, init as RequestInit);
  const bytes = await read(body, Number(headers.get('content-length') ?? 0));
  if (bytes === undefined && status === 200) throw new Error('its answer is too long');
  return new Response(BODILESS.includes(status) ? null : (bytes ?? ''), { status, statusText, headers });
}

/** @returns undefined if there is more than the longest answer */
async function read(body: Response['body'], announced: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (announced > MAX_ANSWER_BYTES) {
    await body?.cancel();
    return undefined;
  }
  // To leave the loop early cancels the body.
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > MAX_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
