/**
 * The same string with memory of its own. What was cut out of a string keeps all of that, a header for the
 * sake of an id, and what was put together of pieces keeps the pieces: V8 copies neither.
 * An idle connection of 3.8 KiB has 3.4 with it.
 */
export function flatString(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('latin1');
}
