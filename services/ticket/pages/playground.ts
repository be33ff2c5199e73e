import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import express, { type Request, Router } from 'express';
import helmet from 'helmet';
import { z } from 'zod';
import type { Logger } from '../../../shared/process/log.ts';
import type { FieldError, Refusal } from '../../../shared/refusals.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import { isTicketId } from '../../../shared/ticket/ticket.ts';
import type { Refuse } from '../answers/answering.ts';
import { timestamp } from '../answers/json.ts';
import type { Announcement } from '../issuing/announce.ts';
import type { TicketRules } from '../issuing/issue-ticket.ts';
import type { SignedIn, SignInMiddleware } from '../sign-in/sign-in.ts';

/** What can be made to go wrong, for one subject's own tickets and nobody else's. */
export interface Simulations {
  /** The store answers nothing for a while. */
  stopStore(subject: string, seconds: number): void;
  /** From now on the subject has at most so many open connections; 0 takes it back. */
  limitConnections(subject: string, connections: number): void;
}

/** The page to try it on. */
export interface Playground {
  /** A user whose password was made for this run, where there is one. */
  readonly demoUser?: string | undefined;
  /** Whether the browser may be signed in already, at the application or at a proxy. */
  readonly existingLogin?: boolean;
  /** What the process can simulate beside the end of a session. */
  readonly simulations?: Simulations | undefined;
}

interface PlaygroundOptions extends Playground {
  readonly store: TicketStore;
  readonly signIn: SignInMiddleware;
  readonly rules: Pick<TicketRules, 'ttlSeconds'>;
  readonly announcement: Announcement;
  readonly log: Logger;
  readonly refuse: Refuse;
}

/** Beside the services where they are compiled; of the sources only the compiled page can be served. */
const FOLDERS = ['../../../playground', '../../../dist/playground'];

const PAGE = 'index.html';
/** The sandboxed frame, with which the page shows what another origin's page gets. */
const FRAME = 'frame.html';

/** Longer than any of them takes to be seen. */
const MAX_SECONDS = 60;
const MAX_STOPPED_SECONDS = 30;
const MAX_CONNECTIONS = 100;

/** `GET /` and `/playground/*`: a page that gets tickets, connects, and shows what refusals look like. */
export function createPlaygroundRoutes(options: PlaygroundOptions): Router {
  const { store, signIn, rules, announcement, demoUser, existingLogin = false, simulations, log, refuse } = options;
  const router = Router({ caseSensitive: true });

  async function endSession(request: Request, response: SignedIn): Promise<void> {
    const { principal } = response.locals;
    const { subject } = principal;
    const parsed = sessionSchema.safeParse(request.body);
    if (!parsed.success) return refuse(response, invalid(parsed.error), subject);
    const { id, seconds } = parsed.data;
    const outcome = await store.renew({
      id,
      subject,
      maxSessionMs: seconds * 1000,
      credentialsExpireAt: principal.expiresAt,
    });
    if (outcome.code !== 'renewed') return refuse(response, { code: 'not_found' }, subject);
    const { sessionExpiresAt, gatewayId } = outcome;
    log.info({ event: 'renew', ticket_id: id, subject });
    const command = { command: 'renew', ticket_id: id, session_expires_at: sessionExpiresAt } as const;
    await store.command(gatewayId, command).catch(() => {}); // the lease tells it too
    response.json({ id, session_expires_at: timestamp(sessionExpiresAt) });
  }

  function simulate<T>(schema: z.ZodType<T>, apply: (subject: string, wish: T) => void) {
    return (request: Request, response: SignedIn): void => {
      const { subject } = response.locals.principal;
      const parsed = schema.safeParse(request.body);
      if (!parsed.success) return refuse(response, invalid(parsed.error), subject);
      apply(subject, parsed.data);
      response.status(204).end();
    };
  }

  function methods(path: string, ...allow: string[]): void {
    router.all(path, (_request, response) => refuse(response, { code: 'method_not_allowed', allow }));
  }

  const facts = {
    gateway_url: announcement.gatewayUrl,
    ttl_seconds: rules.ttlSeconds,
    demo_user: demoUser ?? null,
    existing_login: existingLogin,
    simulations: ['session', ...(simulations === undefined ? [] : ['limit', 'store'])],
  };
  router.get('/playground/facts', (_request, response) => void response.json(facts));
  methods('/playground/facts', 'GET', 'HEAD');

  const body = express.json({ limit: '1kb', inflate: false, type: () => true });
  router.post('/playground/session', signIn, body, endSession);
  methods('/playground/session', 'POST');
  if (simulations !== undefined) {
    const limit = simulate(limitSchema, (subject, wish) => simulations.limitConnections(subject, wish.connections));
    const stop = simulate(storeSchema, (subject, wish) => simulations.stopStore(subject, wish.seconds));
    router.post('/playground/limit', signIn, body, limit);
    methods('/playground/limit', 'POST');
    router.post('/playground/store', signIn, body, stop);
    methods('/playground/store', 'POST');
  }

  const policies = policiesFor(announcement.gatewayUrl);
  for (const [name, content] of builtFiles()) {
    const path = name === PAGE ? '/' : `/playground/${name}`;
    const policy = name === FRAME ? policies.frame : policies.page;
    router.get(path, policy, (_request, response) => {
      // To a frame of no origin everything is another's, its own script too.
      if (name.startsWith('frame.')) response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
      // It has no origin that could be keyed by: a browser would only complain.
      if (name === FRAME) response.removeHeader('Origin-Agent-Cluster');
      response.type(extname(name)).send(content);
    });
    methods(path, 'GET', 'HEAD');
  }
  return router;
}

const sessionSchema = z.strictObject({
  id: z.string().refine(isTicketId, { error: 'must be a ticket id' }),
  seconds: wholeNumber(1, MAX_SECONDS),
});
const limitSchema = z.strictObject({ connections: wholeNumber(0, MAX_CONNECTIONS) });
const storeSchema = z.strictObject({ seconds: wholeNumber(1, MAX_STOPPED_SECONDS) });

function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

function invalid(error: z.ZodError): Refusal {
  const errors = error.issues.map(
    ({ code, path, message }): FieldError => ({
      pointer: ['#', ...path.map(String)].join('/'),
      // zod's own texts repeat the name of a field that it does not know.
      detail: code === 'custom' || message.startsWith('must be') ? message : 'must be an object with known fields',
    }),
  );
  return { code: 'request_invalid', errors };
}

/** Every file of the page: only what is in its folder at the start is ever served. */
function builtFiles(): Array<readonly [name: string, content: Buffer]> {
  const folders = FOLDERS.map((folder) => join(import.meta.dirname, folder));
  const folder = folders.find((path) => existsSync(join(path, 'page.js')));
  if (folder === undefined) throw new Error('the page is not there: run npm run build');
  return readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]);
}

/** What the documents may do (CSP Level 3): nothing, beside what they come with and the gateways. */
function policiesFor(gatewayUrl: string) {
  const { protocol, host } = new URL(gatewayUrl);
  const gateways = `${protocol}//${host}`; // without a path, which would have to match to the letter
  const strict = { defaultSrc: ["'none'"], scriptSrc: ["'self'"], baseUri: ["'none'"], formAction: ["'none'"] };
  const page = {
    ...strict,
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'", gateways],
    frameSrc: ["'self'"],
    frameAncestors: ["'none'"],
  };
  const frame = { ...strict, connectSrc: [gateways], frameAncestors: ["'self'"], sandbox: ['allow-scripts'] };
  return {
    page: helmet.contentSecurityPolicy({ useDefaults: false, directives: page }),
    frame: helmet.contentSecurityPolicy({ useDefaults: false, directives: frame }),
  };
}
