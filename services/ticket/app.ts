import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { sendRefusal } from '../../shared/http/send-refusal.ts';
import type { Refusal } from '../../shared/refusals.ts';
import { StoreUnavailable } from '../../shared/store/store.ts';
import { createProblemRoutes, PROBLEM_PAGE_STYLE } from './problems.ts';
import { createTicketRoutes, type TicketRoutesOptions } from './tickets.ts';

export type TicketAppOptions = Omit<TicketRoutesOptions, 'refuse'>;

/** The HTTP application of the ticket service. */
export function createTicketApp(options: TicketAppOptions): Express {
  const { log, metrics } = options;

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
    if (status !== undefined)
      return refuse(response, { code: status === 413 ? 'payload_too_large' : 'request_malformed' });
    log.error({ event: 'fault', message: error instanceof Error ? error.message : 'unknown' });
    response
      .status(500)
      .type('application/problem+json')
      .send('{"type":"about:blank","title":"Internal Server Error","status":500}');
  }

  const app = express();
  app.set('etag', false);
  app.use(
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
  );
  app.use((_request, response, next) => {
    response.setHeader('Cache-Control', 'no-store');
    next();
  });
  app.use(createTicketRoutes({ ...options, refuse }));
  app.use(createProblemRoutes(refuse));
  app.use((_request, response) => refuse(response, { code: 'not_found' }));
  app.use(onError);
  return app;
}

/** The status of an error that express or its body parser blames on the request. */
function clientErrorStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
