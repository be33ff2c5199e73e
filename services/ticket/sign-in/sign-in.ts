import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { networkOf } from '../../../shared/http/address.ts';
import { clientAddress, forwardedHost, type Trust } from '../../../shared/http/client-address.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import type { Refuse } from '../answers/answering.ts';
import type { Authenticator, Principal } from '../authenticators/authenticator.ts';
import { RATE_WINDOW_SECONDS, Rate, type RateState } from '../limits/rate.ts';
import { authenticate } from './authenticate.ts';
import { csrfRefusal } from './csrf.ts';

/** A caller that is signed in and within its rates. */
export interface Caller {
  readonly principal: Principal;
  /** The refusal to answer with if the credentials are revoked before the request is done. */
  readonly revoked: Refusal;
}

/** Signs a caller in. It answers a refusal itself, and then resolves to undefined. */
export type SignIn = (request: IncomingMessage, response: ServerResponse) => Promise<Caller | undefined>;

/** A response to a caller that is signed in. */
export type SignedIn = Response<unknown, { principal: Principal }>;

/** `SignIn` as a middleware of Express. */
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
    /** Requests of one address per minute; 0 for no limit. */
    readonly perAddress: number;
    /** Requests of one subject per minute; 0 for no limit. */
    readonly perSubject: number;
  };
  readonly refuse: Refuse;
}

/** Failed sign-ins of one address per minute. Above it, its credentials are not checked until the minute ends. */
const MAX_FAILURES_PER_ADDRESS = 100;

/**
 * Checks a request before its route, cheapest first: the rate of the address, the credentials,
 * cross-site requests, the rate of the subject.
 */
export function createSignIn(options: SignInOptions): SignIn {
  const { store, authenticators, trustProxy, allowedOrigins, rates, refuse } = options;
  const address = new Rate({ kind: 'address', quota: rates.perAddress, store });
  const subject = new Rate({ kind: 'subject', quota: rates.perSubject, store });
  const failures = new Rate({ kind: 'failures', quota: MAX_FAILURES_PER_ADDRESS, store });

  function refused(response: ServerResponse, refusal: Refusal, subjectName?: string, reason?: string): undefined {
    refuse(response, refusal, subjectName, reason);
  }

  return async (request, response) => {
    const from = clientAddress(request, trustProxy);
    const addressState = await address.hit(from);
    tellRate(response, address, addressState);
    if (addressState.exceeded) return refused(response, rateLimited(addressState));

    const failed = hasCredentials(request) ? await failures.look(from) : undefined;
    if (failed?.exceeded) return refused(response, rateLimited(failed));

    const caller = await authenticate(request, authenticators, networkOf(from));
    if (!caller.ok) {
      if (caller.refusal.code === 'credentials_invalid') await failures.hit(from);
      return refused(response, caller.refusal, undefined, caller.reason);
    }
    const { principal } = caller;
    if (principal.ambient) {
      const host = forwardedHost(request, trustProxy) ?? request.headers.host ?? '';
      const refusal = csrfRefusal(request, host, allowedOrigins);
      if (refusal !== undefined) return refused(response, refusal, principal.subject);
    }

    const subjectState = await subject.hit(principal.subject);
    tellRate(response, subject, subjectState);
    if (subjectState.exceeded) return refused(response, rateLimited(subjectState), principal.subject);
    return { principal, revoked: caller.revoked };
  };
}

function rateLimited({ resetSeconds }: RateState): Refusal {
  return { code: 'rate_limited', retryAfterSeconds: Math.max(1, resetSeconds) };
}

function hasCredentials(request: IncomingMessage): boolean {
  return request.headers.authorization !== undefined || request.headers.cookie !== undefined;
}

/** Adds a rate to the fields of draft-ietf-httpapi-ratelimit-headers. A rate without a limit adds nothing. */
function tellRate(response: ServerResponse, rate: Rate, { remaining, resetSeconds }: RateState): void {
  if (rate.quota === 0) return;
  response.appendHeader('RateLimit-Policy', `"${rate.kind}";q=${rate.quota};w=${RATE_WINDOW_SECONDS}`);
  response.appendHeader('RateLimit', `"${rate.kind}";r=${remaining};t=${resetSeconds}`);
}
