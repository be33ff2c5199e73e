import type { OncegateSocketOptions } from 'oncegate/client';

/** In memory and nowhere else. An application has an access token here, or a cookie and no header at all. */
let authorization: string | undefined;
let signedIn: (() => void) | undefined;

/** Goes on with the attempt that waits for it. */
export function signIn(name: string, password: string): void {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  signedIn?.();
}

/** The one object of options: another one would be another connection. */
export const options: OncegateSocketOptions = {
  headers: () => (authorization === undefined ? undefined : { Authorization: authorization }),
  // With `same-origin` the browser would answer the challenge for HTTP Basic with a dialog of its own.
  credentials: 'omit',
  // The state is `signing_in` until this resolves: the page shows its form.
  onUnauthenticated: () =>
    new Promise<void>((resolve) => {
      signedIn = resolve;
    }),
};
