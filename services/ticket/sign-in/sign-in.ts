import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { overloaded } from '../../../shared/http/accept-queue.ts';
import { type Network, networkOf } from '../../../shared/http/address.ts';
import { clientAddress, forwardedHost, type Trust } from '../../../shared/http/client-address.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import type { Refuse } from '../answers/answering.ts';
import type { Authenticator, Principal } from '../authenticators/authenticator.ts';
import { RATE_WINDOW_SECONDS, Rate, type RateState } from '../limits/rate.ts';
import { count, NetworkRate, reserve } from '../limits/reservation.ts';
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
  /** Length of the IPv6 prefix that counts as one network. */
  readonly ipv6PrefixBits: number;
  /** Other origins whose pages may ask for tickets. */
  readonly allowedOrigins: readonly string[];
  readonly rates: {
    /** Requests of one network per minute; 0 for no limit. */
    readonly perAddress: number;
    /** Requests of one subject per minute; 0 for no limit. */
    readonly perSubject: number;
  };
  readonly refuse: Refuse;
  /** Whether new connections wait too long. Default: they never do. */
  readonly isOverloaded?: (() => boolean) | undefined;
}

/** Characters of a header that are logged. */
const MAX_LOGGED = 300;

/** Failed sign-ins of one network per minute. Above it, its credentials are not checked until the minute ends. */
const MAX_FAILURES_PER_NETWORK = 100;

/**
 * Checks a request before its route, cheapest first: an overload, the rate of the address, the credentials,
 * cross-site requests, the rate of the subject.
 */
export function createSignIn(options: SignInOptions): SignIn {
  const { store, authenticators, trustProxy, ipv6PrefixBits, allowedOrigins, rates, refuse } = options;
  const address = new NetworkRate({ kind: 'address', quota: rates.perAddress, store });
  const subject = new Rate({ kind: 'subject', quota: rates.perSubject, store });
  const failures = new NetworkRate({ kind: 'failures', quota: MAX_FAILURES_PER_NETWORK, store });

  function refused(response: ServerResponse, refusal: Refusal, subjectName?: string, reason?: string): undefined {
    refuse(response, refusal, subjectName, reason);
  }

  /** Attack: the place is taken before the check, or whatever arrives during the check would be let through. */
  async function identify(request: IncomingMessage, from: Network): ReturnType<typeof authenticate> {
    const reserved = hasCredentials(request) ? await reserve(failures.of(from)) : undefined;
    if (reserved?.ok === false) return { ok: false, refusal: rateLimited(reserved) };
    try {
      const caller = await authenticate(request, authenticators, from);
      const failed = !caller.ok && caller.refusal.code === 'credentials_invalid';
      if (failed) await (reserved?.place.fail() ?? count(failures.of(from)));
      return caller;
    } finally {
      reserved?.place.free();
    }
  }

  return async (request, response) => {
    if (options.isOverloaded?.() === true) return refused(response, overloaded());
    const from = networkOf(clientAddress(request, trustProxy), ipv6PrefixBits);
    const addressState = await count(address.of(from));
    tellRate(response, address.own, addressState);
    if (addressState.exceeded) return refused(response, rateLimited(addressState));

    const caller = await identify(request, from);
    if (!caller.ok) return refused(response, caller.refusal, undefined, caller.reason);
    const { principal } = caller;
    if (principal.ambient) {
      const host = forwardedHost(request, trustProxy) ?? request.headers.host ?? '';
      const refusal = csrfRefusal(request, host, allowedOrigins);
      if (refusal !== undefined) {
        const { origin = 'none' } = request.headers;
        const compared = `Origin ${origin.slice(0, MAX_LOGGED)}, Host ${host.slice(0, MAX_LOGGED)}: a proxy in front has to pass on the Host of the page`;
        return refused(response, refusal, principal.subject, compared);
      }
    }

    const subjectState = await subject.hit(principal.subject);
    tellRate(response, subject, subjectState);
    if (subjectState.exceeded) return refused(response, rateLimited(subjectState), principal.subject);
    return { principal, revoked: caller.revoked };
  };
}

function rateLimited({ resetSeconds }: Pick<RateState, 'resetSeconds'>): Refusal {
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
