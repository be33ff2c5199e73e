import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import { Strategy } from 'passport-local';
import { createClient } from 'redis';
import { startLoopback } from '../browsers/loopback.ts';
import { atEnd } from '../machine/teardown.ts';

export interface SessionAppOptions {
  readonly redisUrl: string;
  /** The newest first, as express-session expects them. */
  readonly secrets?: readonly string[];
  readonly cookieName?: string;
  readonly keyPrefix?: string;
  /** Lifetime of the cookie; without one it ends with the browser. */
  readonly maxAgeMs?: number;
  /** Lifetime of a session in Redis if the cookie has none. */
  readonly ttlSeconds?: number;
}

/** An Express application with a login of its own: express-session, connect-redis and passport-local. */
export interface SessionApp {
  readonly url: string;
  /** Signs a user in; the password is the name. Returns the `Cookie` of the session. */
  logIn(name: string): Promise<string>;
  /** Visits without signing in. Returns the `Cookie` of the session. */
  visit(): Promise<string>;
  logOut(cookie: string): Promise<void>;
}

export const SESSION_SECRET = 'a secret of the application';

export async function startSessionApp(options: SessionAppOptions): Promise<SessionApp> {
  const { redisUrl, secrets = [SESSION_SECRET], cookieName, keyPrefix, maxAgeMs, ttlSeconds } = options;
  const client = createClient({ url: redisUrl });
  client.on('error', () => {});
  await client.connect();
  atEnd(async () => client.destroy());

  const signIn = new passport.Passport();
  signIn.use(new Strategy((name, password, done) => done(null, name === password ? { id: name } : false)));
  signIn.serializeUser((user, done) => done(null, user));
  signIn.deserializeUser((user, done) => done(null, Object(user)));

  const app = express();
  app.use(
    session({
      store: new RedisStore({
        client,
        ...(keyPrefix !== undefined && { prefix: keyPrefix }),
        ...(ttlSeconds !== undefined && { ttl: ttlSeconds }),
      }),
      secret: [...secrets],
      resave: false,
      saveUninitialized: false,
      ...(cookieName !== undefined && { name: cookieName }),
      cookie: { sameSite: 'lax', ...(maxAgeMs !== undefined && { maxAge: maxAgeMs }) },
    }),
  );
  app.use(signIn.session());
  app.use(express.urlencoded({ extended: false }));
  app.post('/login', signIn.authenticate('local'), (_request, response) => void response.sendStatus(204));
  app.post('/visit', (request, response) => {
    Object.assign(request.session, { language: 'de' });
    response.sendStatus(204);
  });
  app.post('/logout', (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.sendStatus(204)));
  });
  const { url } = await startLoopback(app);

  async function post(path: string, init: RequestInit = {}): Promise<string> {
    const response = await fetch(url + path, { method: 'POST', ...init });
    if (response.status !== 204) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return response.headers
      .getSetCookie()
      .map((cookie) => String(cookie.split(';')[0]))
      .join('; ');
  }
  return {
    url,
    logIn: (name) => post('/login', { body: new URLSearchParams({ username: name, password: name }) }),
    visit: () => post('/visit'),
    async logOut(cookie) {
      await post('/logout', { headers: { Cookie: cookie } });
    },
  };
}
