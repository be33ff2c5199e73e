import cors, { type CorsOptions } from 'cors';
import { type NextFunction, type Request, type Response, Router } from 'express';
import helmet from 'helmet';
import { sendRefusal } from '../../shared/http/send-refusal.ts';
import type { Refusal } from '../../shared/refusals.ts';
import type { Settings } from '../../shared/settings/table.ts';
import { StoreUnavailable } from '../../shared/store/store.ts';
import { createPlaygroundRoutes, type Playground } from './playground.ts';
import { createProblemRoutes, PROBLEM_PAGE_STYLE } from './problems.ts';
import { createSignIn, type SignInOptions } from './sign-in.ts';
import { createTicketRoutes, type TicketRoutesOptions } from './tickets.ts';

export interface TicketRouterOptions
  extends Omit<TicketRoutesOptions, 'refuse' | 'signIn'>,
    Omit<SignInOptions, 'refuse' | 'allowedOrigins'> {
  /** Pages that may ask for tickets beside those of the service's own origin; `*` for any, without credentials. */
  readonly allowedOrigins: readonly string[] | undefined;
  /** The page to try it on; absent where there is none. */
  readonly playground?: Playground | undefined;
  /** Whether every request of the application is for this router, so that it answers unknown paths too. Default: false. */
  readonly wholeApplication?: boolean;
}

/** In another's application its headers are set on these paths only. */
const OWN_PATHS = ['/tickets', '/problems'];

/** The part of the options that the settings decide. */
export function routerSettings(settings: Settings) {
  return {
    trustProxy: settings.trustProxy,
    allowedOrigins: settings.allowedOrigins,
    rates: {
      perAddress: settings.maxRequestsPerMinutePerAddress,
      perSubject: settings.maxRequestsPerMinutePerSubject,
    },
    rules: {
      ttlSeconds: settings.ticketTtlSeconds,
      maxSessionSeconds: settings.maxSessionSeconds,
      maxPendingPerSubject: settings.maxPendingPerSubject,
    },
  };
}

/** A preflight's answer is good for as long as browsers keep one at the most. */
const PREFLIGHT_SECONDS = 7_200;

/** The routes of the ticket service, with all that stands before and behind them. */
export function createTicketRouter(options: TicketRouterOptions): Router {
  const { log, metrics, allowedOrigins = [], wholeApplication = false, playground } = options;

  function refuse(response: Response, refusal: Refusal, subject?: string): void {
    metrics.count('oncegate_requests_refused_total', refusal.code);
    log.info({ event: 'refusal', code: refusal.code, subject });
    sendRefusal(response, refusal);
  }

  /** Expected failures become refusals; whatever is left is a fault of ours, told only to the log. */
  function onError(error: unknown, _request: Request, response: Response, next: NextFunction): void {
    if (response.headersSent) return next(error);
    if (error instanceof StoreUnavailable) return refuse(response, { code: 'store_unavailable' });
    const status = clientErrorStatus(error);
    if (status !== undefined) {
      return refuse(response, { code: status === 413 ? 'payload_too_large' : 'request_malformed' });
    }
    log.error({ event: 'fault', message: error instanceof Error ? error.message : 'unknown' });
    response
      .status(500)
      .type('application/problem+json')
      .send('{"type":"about:blank","title":"Internal Server Error","status":500}');
  }

  const router = Router({ caseSensitive: true });
  const hardening = [
    helmet({
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
    }),
    crossOrigin(allowedOrigins),
    (_request: Request, response: Response, next: NextFunction) => {
      response.setHeader('Cache-Control', 'no-store');
      next();
    },
  ];
  if (wholeApplication) router.use(...hardening);
  else router.use(OWN_PATHS, ...hardening);

  const signIn = createSignIn({ ...options, allowedOrigins, refuse });
  router.use(createTicketRoutes({ ...options, signIn, refuse }));
  router.use(createProblemRoutes(refuse));
  if (playground !== undefined) router.use(createPlaygroundRoutes({ ...options, ...playground, signIn, refuse }));
  if (wholeApplication) {
    router.use((_request: Request, response: Response) => refuse(response, { code: 'not_found' }));
  }
  router.use(onError);
  return router;
}

/** CORS (Fetch standard): exact origins with credentials, or anybody without; `Vary: Origin` on every other answer. */
function crossOrigin(allowedOrigins: readonly string[]) {
  const common: CorsOptions = {
    methods: ['GET', 'POST', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'X-Requested-With', 'X-Oncegate'],
    exposedHeaders: ['Location', 'Retry-After', 'WWW-Authenticate', 'RateLimit', 'RateLimit-Policy'],
    maxAge: PREFLIGHT_SECONDS,
  };
  const anybody = allowedOrigins.includes('*');
  return cors<Request>((request, answer) => {
    const { origin = '', 'access-control-request-method': preflighted } = request.headers;
    const allowed = anybody
      ? { origin: '*' }
      : { origin: [...allowedOrigins], credentials: allowedOrigins.includes(origin) };
    // An OPTIONS that is no preflight is a method like any other.
    answer(null, { ...common, ...allowed, preflightContinue: preflighted === undefined });
  });
}

/** The status of an error that express or its body parser blames on the request. */
function clientErrorStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
