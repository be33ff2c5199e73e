import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import express, { type Request, Router } from 'express';
import helmet from 'helmet';
import { z } from 'zod';
import type { Logger } from '../../../shared/process/log.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import { isTicketId } from '../../../shared/ticket/ticket.ts';
import type { Refuse } from '../answers/answering.ts';
import { fieldErrors } from '../answers/field-errors.ts';
import { timestamp } from '../answers/json.ts';
import type { Announcement } from '../issuing/announce.ts';
import type { TicketRules } from '../issuing/issue-ticket.ts';
import type { SignedIn, SignInMiddleware } from '../sign-in/sign-in.ts';

/** Failures that can be simulated. Each affects the tickets of one subject only. */
export interface Simulations {
  /** Makes the store unavailable for some seconds. */
  stopStore(subject: string, seconds: number): void;
  /** Limits the open connections of the subject; 0 removes the limit. */
  limitConnections(subject: string, connections: number): void;
}

/** The playground: a page on which Oncegate can be tried. */
export interface Playground {
  /** The name of the user that was made for this run, if there is one. */
  readonly demoUser?: string | undefined;
  /** Whether the browser may be signed in already, by the application or a proxy. */
  readonly existingLogin?: boolean;
  /** The failures that this process can simulate. The end of a session needs none of them. */
  readonly simulations?: Simulations | undefined;
}

interface PlaygroundOptions extends Playground {
  readonly store: TicketStore;
  readonly signIn: SignInMiddleware;
  readonly rules: Pick<TicketRules, 'ttlSeconds' | 'maxSessionTotalSeconds'>;
  readonly announcement: Announcement;
  readonly log: Logger;
  readonly refuse: Refuse;
}

/** Where the built page is, seen from the compiled service and from its source. */
const FOLDERS = ['../../../playground', '../../../dist/playground'];

const PAGE = 'index.html';
/** A sandboxed frame that shows what a page of another origin gets. */
const FRAME = 'frame.html';

/** Longer than a person needs to see the effect. */
const MAX_SECONDS = 60;
const MAX_STOPPED_SECONDS = 30;
const MAX_CONNECTIONS = 100;

/** `GET /` and `/playground/*`: a page that gets tickets, connects, and shows refusals. */
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
      maxTotalMs: rules.maxSessionTotalSeconds * 1000,
      credentialsExpireAt: principal.expiresAt,
      asOf: Date.now(),
    });
    if (outcome.code !== 'renewed') return refuse(response, { code: 'not_found' }, subject);
    const { sessionExpiresAt, gatewayId } = outcome;
    log.info({ event: 'renew', ticket_id: id, subject });
    const command = { command: 'renew', ticket_id: id, session_expires_at: sessionExpiresAt } as const;
    await store.command(gatewayId, command).catch(() => {}); // if it is lost, the next lease tells the gateway
    response.json({ id, session_expires_at: timestamp(sessionExpiresAt) });
  }

  function simulate<T>(schema: z.ZodType<T>, apply: (subject: string, asked: T) => void) {
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
    const limit = simulate(limitSchema, (subject, asked) => simulations.limitConnections(subject, asked.connections));
    const stop = simulate(storeSchema, (subject, asked) => simulations.stopStore(subject, asked.seconds));
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
      // The sandboxed frame has an opaque origin, so even its own script is cross-origin to it.
      if (name.startsWith('frame.')) response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
      // An opaque origin cannot be keyed by origin, and browsers warn about the header.
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

const KNOWN = [sessionSchema, limitSchema, storeSchema].flatMap((schema) => Object.keys(schema.shape));

function invalid(error: z.ZodError): Refusal {
  const errors = fieldErrors(error, KNOWN).map(({ pointer, detail }) => ({
    pointer,
    // zod's own messages may repeat what the client sent.
    detail: /^(must|is not known)/.test(detail) ? detail : 'must be an object with known fields',
  }));
  return { code: 'request_invalid', errors };
}

/** Every file of the page. They are read at the start, so that no other file can be served. */
function builtFiles(): Array<readonly [name: string, content: Buffer]> {
  const folders = FOLDERS.map((folder) => join(import.meta.dirname, folder));
  const folder = folders.find((path) => existsSync(join(path, 'page.js')));
  if (folder === undefined) throw new Error('the page is not there: run npm run build');
  return readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]);
}

/** The content security policies (CSP Level 3): the service's own files and the gateways, nothing else. */
function policiesFor(gatewayUrl: string) {
  const { protocol, host } = new URL(gatewayUrl);
  const gateways = `${protocol}//${host}`; // no path: CSP would compare it exactly
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
