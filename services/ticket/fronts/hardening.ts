import type { IncomingMessage, ServerResponse } from 'node:http';
import cors, { type CorsOptions } from 'cors';
import helmet from 'helmet';
import { PROBLEM_PAGE_STYLE } from '../pages/problems.ts';

/** A step before a route, in the terms of node:http: Express takes it as a middleware. */
export type Step = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** A preflight's answer is good for as long as browsers keep one at the most. */
const PREFLIGHT_SECONDS = 7_200;

/** What stands before every route: the headers of every answer, and what pages of other origins may. */
export function createHardening(allowedOrigins: readonly string[]): readonly Step[] {
  return [securityHeaders, noStore, crossOrigin(allowedOrigins)];
}

const securityHeaders = helmet({
  // Other hosts of the operator's domain are not ours to decide about.
  strictTransportSecurity: { includeSubDomains: false },
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      styleSrc: [PROBLEM_PAGE_STYLE],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
});

/** As docs/protocol.md promises. */
function noStore(_request: IncomingMessage, response: ServerResponse, next: () => void): void {
  response.setHeader('Cache-Control', 'no-store');
  next();
}

/** CORS (Fetch standard): exact origins with credentials, or anybody without; `Vary: Origin` on every other answer. */
function crossOrigin(allowedOrigins: readonly string[]): Step {
  const common: CorsOptions = {
    methods: ['GET', 'POST', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'X-Requested-With', 'X-Oncegate'],
    exposedHeaders: ['Location', 'Retry-After', 'WWW-Authenticate', 'RateLimit', 'RateLimit-Policy'],
    maxAge: PREFLIGHT_SECONDS,
  };
  const anybody = allowedOrigins.includes('*');
  return cors<IncomingMessage>((request, answer) => {
    const { origin = '', 'access-control-request-method': preflighted } = request.headers;
    const allowed = anybody
      ? { origin: '*' }
      : { origin: [...allowedOrigins], credentials: allowedOrigins.includes(origin) };
    // An OPTIONS that is no preflight is a method like any other.
    answer(null, { ...common, ...allowed, preflightContinue: preflighted === undefined });
  });
}
