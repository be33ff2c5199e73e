import type { IncomingMessage, ServerResponse } from 'node:http';
import cors, { type CorsOptions } from 'cors';
import helmet from 'helmet';
import { PROBLEM_PAGE_STYLE } from '../pages/problems.ts';

/** A step before a route. It uses types of node:http only, and Express accepts it as a middleware. */
export type Step = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** How long a browser may cache the answer to a preflight. Chromium caches none for longer. */
const PREFLIGHT_SECONDS = 7_200;

/** The steps before every route: security headers, no caching, CORS. */
export function createHardening(allowedOrigins: readonly string[]): readonly Step[] {
  return [securityHeaders, noStore, crossOrigin(allowedOrigins)];
}

const securityHeaders = helmet({
  // Subdomains belong to the operator, who decides about their HTTPS.
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

/** CORS (Fetch standard): listed origins with credentials, or `*` without. With a list, every answer varies by Origin. */
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
    // An OPTIONS request without this header is no preflight: its route answers it.
    answer(null, { ...common, ...allowed, preflightContinue: preflighted === undefined });
  });
}
