import type { IncomingMessage, ServerResponse } from 'node:http';
import cors, { type CorsOptions } from 'cors';
import helmet from 'helmet';
import { forwardedHost, type Trust } from '../../../shared/http/client-address.ts';
import { headFault } from '../../../shared/http/whole-head.ts';
import { WindowCounts } from '../../../shared/limits/window-counts.ts';
import type { Logger } from '../../../shared/process/log.ts';
import { isOrigin } from '../../../shared/ticket/origin.ts';
import { allowsAny, isListed } from '../../../shared/ticket/origin-list.ts';
import { MalformedRequest } from '../answers/answering.ts';
import { PROBLEM_PAGE_STYLE } from '../pages/problems.ts';
import { isOwn } from '../sign-in/csrf.ts';

/** A step before a route. It uses types of node:http only, and Express accepts it as a middleware. */
export type Step = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** How long a browser may cache the answer to a preflight. Chromium caches none for longer. */
const PREFLIGHT_SECONDS = 7_200;

/** The steps before every route: security headers, no caching, CORS, and a head of which nothing was dropped. */
export function createHardening({ allowedOrigins, trustProxy, log }: HardeningOptions): readonly Step[] {
  const told = tellUnlisted({ allowedOrigins, trustProxy, log });
  return [securityHeaders, noStore, told, crossOrigin(allowedOrigins), wholeHead];
}

export interface HardeningOptions {
  /** Other origins whose pages may ask for tickets. */
  readonly allowedOrigins: readonly string[];
  readonly trustProxy: Trust;
  readonly log: Pick<Logger, 'warn'>;
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

function wholeHead(request: IncomingMessage, _response: ServerResponse, next: (error?: unknown) => void): void {
  const fault = headFault(request.rawHeaders);
  next(fault === undefined ? undefined : new MalformedRequest(fault));
}

/** As docs/protocol.md promises. */
function noStore(_request: IncomingMessage, response: ServerResponse, next: () => void): void {
  response.setHeader('Cache-Control', 'no-store');
  next();
}

/** What the client library and the authenticators need. */
const OWN_HEADERS = ['Authorization', 'Content-Type', 'X-Requested-With', 'X-Oncegate'];

/** More headers than any page sends; what is beyond is not allowed. */
const MAX_ASKED = 32;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]{1,64}$/i;

/**
 * The headers that a preflight asks for. A page of a listed origin may send any: monitoring adds `traceparent`,
 * `sentry-trace` or `baggage` to each request, and a request whose preflight fails never arrives.
 */
function askedHeaders(field = ''): string[] {
  const own = OWN_HEADERS.map((name) => name.toLowerCase());
  const names = field.split(',', MAX_ASKED).map((name) => name.trim());
  return names.filter((name) => HEADER_NAME.test(name) && !own.includes(name.toLowerCase()));
}

/** Origins that are remembered as logged. */
const MAX_TOLD = 1_000;

/** Logs a page of another origin that is not listed, once a minute: the browser tells neither the page nor anyone why. */
function tellUnlisted({ allowedOrigins, trustProxy, log }: HardeningOptions): Step {
  const told = new WindowCounts({ maxKeys: MAX_TOLD });
  return (request, _response, next) => {
    const { origin, host = '' } = request.headers;
    if (origin !== undefined && !allowsAny(allowedOrigins) && !isListed(origin, allowedOrigins)) {
      const asked = forwardedHost(request, trustProxy) ?? host;
      const named = origin === 'null' || isOrigin(origin) ? origin.slice(0, MAX_ORIGIN_LENGTH) : 'malformed';
      if (!isOwn(origin, asked.toLowerCase()) && told.get(named).count === 0) {
        told.add(named);
        log.warn({
          event: 'origin_not_listed',
          setting: 'ALLOWED_ORIGINS',
          origin: named,
          host: asked.slice(0, MAX_ORIGIN_LENGTH),
        });
      }
    }
    next();
  };
}

const MAX_ORIGIN_LENGTH = 300;

/** CORS (Fetch standard): listed origins with credentials, or `*` without. With a list, every answer varies by Origin. */
function crossOrigin(allowedOrigins: readonly string[]): Step {
  const common: CorsOptions = {
    methods: ['GET', 'POST', 'DELETE'],
    exposedHeaders: ['Location', 'Retry-After', 'WWW-Authenticate', 'RateLimit', 'RateLimit-Policy'],
    maxAge: PREFLIGHT_SECONDS,
  };
  const anybody = allowsAny(allowedOrigins);
  return cors<IncomingMessage>((request, answer) => {
    const { origin = '', 'access-control-request-method': preflighted } = request.headers;
    const listed = isListed(origin, allowedOrigins);
    const asked = anybody || listed ? askedHeaders(request.headers['access-control-request-headers']) : [];
    const allowedHeaders = [...OWN_HEADERS, ...asked];
    const allowed = anybody ? { origin: '*' } : { origin: listed ? [origin] : [], credentials: listed };
    // An OPTIONS request without this header is no preflight: its route answers it.
    answer(null, { ...common, ...allowed, allowedHeaders, preflightContinue: preflighted === undefined });
  });
}
