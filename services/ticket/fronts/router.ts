import type { IncomingMessage, ServerResponse } from 'node:http';
import { type NextFunction, type Request, type RequestHandler, type Response, Router } from 'express';
import type { Refusal } from '../../../shared/refusals.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import { createAnswering } from '../answers/answering.ts';
import { createIssue, type IssueOptions } from '../issuing/issue.ts';
import { createPlaygroundRoutes, type Playground } from '../pages/playground.ts';
import { createProblemRoutes } from '../pages/problems.ts';
import { createTicketRoutes } from '../records/tickets.ts';
import { createSignIn, type SignInOptions, signInMiddleware } from '../sign-in/sign-in.ts';
import { createHardening } from './hardening.ts';
import { createPostTickets, inExpress } from './post-tickets.ts';

export interface TicketRouterOptions
  extends Omit<IssueOptions, 'refuse'>,
    Omit<SignInOptions, 'refuse' | 'allowedOrigins'> {
  /** Other origins whose pages may ask for tickets; `*` for any origin, without credentials. */
  readonly allowedOrigins: readonly string[] | undefined;
  /** The playground; absent if it is off. */
  readonly playground?: Playground | undefined;
  /** Whether the router answers unknown paths too, because the application has no other routes. Default: false. */
  readonly wholeApplication?: boolean;
}

/** Embedded in an application, the router sets its headers on these paths only. */
const OWN_PATHS = ['/tickets', '/problems'];

/** The options that come from the settings. */
export function routerSettings(settings: Settings) {
  return {
    trustProxy: settings.trustProxy,
    ipv6PrefixBits: settings.ipv6PrefixBits,
    allowedOrigins: settings.allowedOrigins,
    rates: {
      perAddress: settings.maxRequestsPerMinutePerAddress,
      perSubject: settings.maxRequestsPerMinutePerSubject,
    },
    rules: {
      ttlSeconds: settings.ticketTtlSeconds,
      maxSessionSeconds: settings.maxSessionSeconds,
      maxSessionTotalSeconds: settings.maxSessionTotalSeconds,
      maxPendingPerSubject: settings.maxPendingPerSubject,
    },
  };
}

/** The steps that the routes and both doors of `POST /tickets` share. */
export function createSteps(options: TicketRouterOptions) {
  const { allowedOrigins = [] } = options;
  options.trustProxy?.reportTo(options.log);
  const { refuse, refuseUnread, fail } = createAnswering(options);
  const signIn = createSignIn({ ...options, allowedOrigins, refuse });
  const hardening = createHardening({ ...options, allowedOrigins });
  return {
    refuse,
    fail,
    hardening,
    /** Refuses a request that could not be read, with the headers of every answer. */
    refuseUnread(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
      for (const step of hardening) step(request, response, () => {});
      refuseUnread(response, refusal);
    },
    signIn,
    postTickets: createPostTickets({ signIn, issue: createIssue({ ...options, refuse }) }),
  };
}

/** The routes of the ticket service, with the steps before them and the error handler behind them. */
export function createTicketRouter(options: TicketRouterOptions, steps = createSteps(options)): Router {
  const { wholeApplication = false, playground } = options;
  const { refuse, fail, postTickets } = steps;
  const router = Router({ caseSensitive: true });
  const hardening: RequestHandler[] = [...steps.hardening];
  if (wholeApplication) router.use(...hardening);
  else router.use(OWN_PATHS, ...hardening);

  const signIn = signInMiddleware(steps.signIn);
  inExpress(router, postTickets);
  router.use(createTicketRoutes({ ...options, signIn, refuse }));
  router.use(createProblemRoutes(refuse));
  if (playground !== undefined) router.use(createPlaygroundRoutes({ ...options, ...playground, signIn, refuse }));
  if (wholeApplication) {
    router.use((_request: Request, response: Response) => refuse(response, { code: 'not_found' }));
  }
  router.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) next(error);
    else fail(response, error);
  });
  return router;
}
