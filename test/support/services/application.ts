import type { IncomingHttpHeaders } from 'node:http';
import express, { type Response } from 'express';
import { type Loopback, startLoopback } from '../browsers/loopback.ts';

/** A small Express application that authenticates its callers. */
export interface Application extends Loopback {
  /** `AUTH_FORWARD_URL`. */
  readonly meUrl: string;
  /** The headers of every request for `/me` so far. */
  readonly seen: readonly IncomingHttpHeaders[];
  /** Sets the answer to signed-in callers; by default {@link ADA}. */
  answer(respond: (response: Response) => void): void;
}

export const SIGNED_IN = 'sid=ada-is-signed-in';
export const APPLICATION_TOKEN = 'Token of-the-application';
export const APPLICATION_CHALLENGE = 'Token realm="the application", error="expired"';
export const ADA = { sub: 'ada', email: 'ada@example.org', roles: ['reader'], account: { id: 4711 } };

const asAda = (response: Response): void => void response.json(ADA);

/** Starts the application: `/me` accepts one cookie and one token, and challenges everybody else. */
export async function startApplication(): Promise<Application> {
  const seen: IncomingHttpHeaders[] = [];
  let respond = asAda;
  const app = express();
  app.get('/me', (request, response) => {
    seen.push(request.headers);
    const { cookie, authorization } = request.headers;
    if (cookie?.split('; ').includes(SIGNED_IN) || authorization === APPLICATION_TOKEN) respond(response);
    else response.status(401).set('WWW-Authenticate', APPLICATION_CHALLENGE).json({ error: 'nobody is signed in' });
  });
  app.get('/login', (_request, response) => asAda(response));
  const loopback = await startLoopback(app);
  return {
    ...loopback,
    meUrl: `${loopback.url}/me`,
    seen,
    answer(next) {
      respond = next;
    },
  };
}
