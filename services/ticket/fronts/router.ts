import { type NextFunction, type Request, type RequestHandler, type Response, Router } from 'express';
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

/** The steps that all routes are made of. */
export function createSteps(options: TicketRouterOptions) {
  const { allowedOrigins = [] } = options;
  const { refuse, fail } = createAnswering(options);
  const signIn = createSignIn({ ...options, allowedOrigins, refuse });
  return {
    refuse,
    fail,
    hardening: createHardening(allowedOrigins),
    signIn,
    postTickets: createPostTickets({ signIn, issue: createIssue({ ...options, refuse }) }),
  };
}

/** The routes of the ticket service, with all that stands before and behind them. */
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
