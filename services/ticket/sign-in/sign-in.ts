import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { clientAddress, forwardedHost, type Trust } from '../../../shared/http/client-address.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import type { Refuse } from '../answers/answering.ts';
import type { Authenticator, Principal } from '../authenticators/authenticator.ts';
import { RATE_WINDOW_SECONDS, Rate, type RateState } from '../limits/rate.ts';
import { authenticate } from './authenticate.ts';
import { csrfRefusal } from './csrf.ts';

/** Who sends a request, and may. */
export interface Caller {
  readonly principal: Principal;
  /** What it is told should its credentials be revoked before the request is done. */
  readonly revoked: Refusal;
}

/** What stands before every route that needs a caller: undefined where the request was refused, and answered. */
export type SignIn = (request: IncomingMessage, response: ServerResponse) => Promise<Caller | undefined>;

/** A response whose request has been signed in. */
export type SignedIn = Response<unknown, { principal: Principal }>;

/** The same for Express. */
export type SignInMiddleware = (request: Request, response: SignedIn, next: NextFunction) => Promise<void>;

export function signInMiddleware(signIn: SignIn): SignInMiddleware {
  return async (request, response, next) => {
    const caller = await signIn(request, response);
    if (caller === undefined) return;
    response.locals.principal = caller.principal;
    next();
  };
}

export interface SignInOptions {
  readonly store: TicketStore;
  readonly authenticators: readonly Authenticator[];
  readonly trustProxy: Trust;
  /** Other origins whose pages may ask for tickets. */
  readonly allowedOrigins: readonly string[];
  readonly rates: {
    /** Requests of one address in a minute; 0 for no limit. */
    readonly perAddress: number;
    /** Requests of one subject in a minute; 0 for no limit. */
    readonly perSubject: number;
  };
  readonly refuse: Refuse;
}

/** Failed sign-ins of one address in a minute; past it nothing of that address is checked until the minute is over. */
const MAX_FAILURES_PER_ADDRESS = 100;

/**
 * Everything that stands before a route: the address's rate, the caller's credentials, cross-site
 * requests, the subject's rate. The cheapest comes first.
 */
export function createSignIn(options: SignInOptions): SignIn {
  const { store, authenticators, trustProxy, allowedOrigins, rates, refuse } = options;
  const address = new Rate({ kind: 'address', quota: rates.perAddress, store });
  const subject = new Rate({ kind: 'subject', quota: rates.perSubject, store });
  const failures = new Rate({ kind: 'failures', quota: MAX_FAILURES_PER_ADDRESS, store });

  function no(response: ServerResponse, refusal: Refusal, of?: string): undefined {
    refuse(response, refusal, of);
  }

  return async (request, response) => {
    const from = clientAddress(request, trustProxy);
    const addressState = await address.hit(from);
    tellRate(response, address, addressState);
    if (addressState.exceeded) return no(response, rateLimited(addressState));

    const failed = hasCredentials(request) ? await failures.look(from) : undefined;
    if (failed?.exceeded) return no(response, rateLimited(failed));

    const caller = await authenticate(request, authenticators);
    if (!caller.ok) {
      if (caller.refusal.code === 'credentials_invalid') await failures.hit(from);
      return no(response, caller.refusal);
    }
    const { principal } = caller;
    if (principal.ambient) {
      const host = forwardedHost(request, trustProxy) ?? request.headers.host ?? '';
      const refusal = csrfRefusal(request, host, allowedOrigins);
      if (refusal !== undefined) return no(response, refusal, principal.subject);
    }

    const subjectState = await subject.hit(principal.subject);
    tellRate(response, subject, subjectState);
    if (subjectState.exceeded) return no(response, rateLimited(subjectState), principal.subject);
    return { principal, revoked: caller.revoked };
  };
}

function rateLimited({ resetSeconds }: RateState): Refusal {
  return { code: 'rate_limited', retryAfterSeconds: Math.max(1, resetSeconds) };
}

function hasCredentials(request: IncomingMessage): boolean {
  return request.headers.authorization !== undefined || request.headers.cookie !== undefined;
}

/** The `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers, one member for each rate that is on. */
function tellRate(response: ServerResponse, rate: Rate, { remaining, resetSeconds }: RateState): void {
  if (rate.quota === 0) return;
  response.appendHeader('RateLimit-Policy', `"${rate.kind}";q=${rate.quota};w=${RATE_WINDOW_SECONDS}`);
  response.appendHeader('RateLimit', `"${rate.kind}";r=${remaining};t=${resetSeconds}`);
}
