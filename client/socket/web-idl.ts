/** The values of `readyState`. */
export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;

/** Defines the constants of a WebSocket as Web IDL has them: on the class and on its prototype, enumerable, read-only. */
export function defineConstants(socketClass: { readonly prototype: object }): void {
  for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) {
    Object.defineProperty(socketClass, name, { value, enumerable: true });
    Object.defineProperty(socketClass.prototype, name, { value, enumerable: true });
  }
}

/** The nearest integer, and of two that are equally near the even one (Web IDL, `[Clamp]`). */
export function nearestInteger(number: number): number {
  const below = Math.floor(number);
  if (number - below === 0.5) return below % 2 === 0 ? below : below + 1;
  return Math.round(number);
}
