import type { OncegateSocketOptions } from 'oncegate/client';

/** Kept in memory only. An application has an access token here, or a cookie and no header. */
let authorization: string | undefined;
let signedIn: (() => void) | undefined;

/** Signs in; the attempt that waits for it continues. */
export function signIn(name: string, password: string): void {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  signedIn?.();
}

/** One object for all renderings: another object would be another connection. */
export const options: OncegateSocketOptions = {
  headers: () => (authorization === undefined ? undefined : { Authorization: authorization }),
  // With `same-origin` the browser would open its own dialog for HTTP Basic.
  credentials: 'omit',
  // The state is `signing_in` until this resolves: the page shows its form.
  onUnauthenticated: () =>
    new Promise<void>((resolve) => {
      signedIn = resolve;
    }),
};
