/** More than any browser or proxy sends. */
export const MAX_HEADERS = 100;

/** Something is decided by these, and Node drops a second one. */
const ONCE: ReadonlySet<string> = new Set(['content-type', 'host']);

/**
 * Attack: Node silently drops headers beyond a thousand, and all but the first of some names. What a proxy has
 * added, or has checked, could be missing.
 *
 * @param rawHeaders names and values in turn, as they were sent
 * @returns what is wrong, for the client; undefined if every header is there
 */
export function headFault(rawHeaders: readonly string[]): string | undefined {
  if (rawHeaders.length > 2 * MAX_HEADERS) return `A request may have ${MAX_HEADERS} headers.`;
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index]).toLowerCase();
    if (!ONCE.has(name)) continue;
    if (seen.has(name)) return `The header ${name} may be there once.`;
    seen.add(name);
  }
  return undefined;
}
