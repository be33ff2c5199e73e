import express from 'express';
import { type Loopback, startLoopback } from '../browsers/loopback.ts';
import { SIGNED_IN } from '../services/application.ts';
import { passOn } from './http-proxy.ts';

/** The header in which the proxy names the user: `AUTH_PROXY_HEADER`. */
export const USER_HEADER = 'X-User';

/** Starts a proxy that passes on requests with its cookie as `ada`, and redirects others to its login, as oauth2-proxy does. */
export async function startSigningProxy({ port }: { readonly port: number }): Promise<Loopback> {
  const app = express();
  app.get('/login', (_request, response) => void response.send('<h1>Sign in first</h1>'));
  app.use((request, response) => {
    const { headers } = request;
    if (!headers.cookie?.split('; ').includes(SIGNED_IN)) return response.redirect('/login');
    passOn(request, response, { port, headers: { ...headers, [USER_HEADER]: 'ada' } });
  });
  return startLoopback(app);
}
