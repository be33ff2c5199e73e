import type { Request, Router } from 'express';
import type { Registry } from 'prom-client';
import { createMetrics } from '../../../shared/metrics.ts';
import { createLogger, type Logger } from '../../../shared/process/log.ts';
import { type Environment, loadSettings, readEnvironment } from '../../../shared/settings/load.ts';
import { createEmbeddedStore } from '../../../shared/store/embedded-store.ts';
import { MeasuredStore } from '../../../shared/store/measured-store.ts';
import { isSubject } from '../../../shared/ticket/ticket.ts';
import { type Authenticator, isAmbient } from '../authenticators/authenticator.ts';
import { endOf } from '../authenticators/identity.ts';
import { announcementOf } from '../issuing/announce.ts';
import { policyRule, watchPolicy } from '../issuing/policy-file.ts';
import { createTicketRouter, routerSettings } from './router.ts';

/** The caller, as the application identifies it. */
export interface ApplicationPrincipal {
  /** 1 to 256 characters without control characters. */
  readonly subject: string;
  /**
   * When the login ends, in Unix ms, rounded down. The connection ends then too. Absent if the login does not end.
   * With anything but a finite number the caller gets 503 `authentication_unavailable`, and the log says why.
   */
  readonly expiresAt?: number;
  /** Claims of every ticket, apart from those that the caller asks for. At most 4,096 bytes as JSON. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

type SignedIn = ApplicationPrincipal | null | undefined;

export interface TicketRouterOptions {
  /** Identifies the caller by the application's own login. Returns null or undefined if nobody is signed in. */
  readonly authenticate: (request: Request) => SignedIn | Promise<SignedIn>;
  /**
   * Whether requests from other sites are refused (`csrf_refused`). Turn it off only if the login is no
   * cookie. Default: true. It never applies to an `Authorization` header that only a script can set.
   */
  readonly csrf?: boolean;
  /** The challenge of a 401 (RFC 9110 §11.6.1). Default: `Application realm="oncegate"`. */
  readonly challenge?: string;
  /** Settings by the names of their environment variables. Default: the environment and `.env`. */
  readonly settings?: Environment;
  /** Default: JSON lines on stdout. */
  readonly log?: Logger;
}

export interface EmbeddedTicketRouter extends Router {
  /** The Prometheus metrics of the routes. */
  readonly metrics: Registry;
  /** Closes the store's connection and stops watching the policy file. */
  close(): Promise<void>;
}

/**
 * The routes of the ticket service for an existing Express application:
 * `app.use(ticketRouter({ authenticate: (request) => request.user && { subject: request.user.id } }))`.
 *
 * @throws TypeError that names every fault of the settings
 */
export function ticketRouter(options: TicketRouterOptions): EmbeddedTicketRouter {
  const loaded = loadSettings(options.settings ?? readEnvironment(), [policyRule]);
  if (!loaded.ok) throw new TypeError(`oncegate is not configured well:\n${loaded.faults.join('\n')}`);
  const { settings } = loaded;
  const log = options.log ?? createLogger(settings.logLevel, { service: 'ticket' });
  const metrics = createMetrics(['ticket']);
  const store = new MeasuredStore(createEmbeddedStore(settings, log), metrics);
  const policy = watchPolicy(settings, log);
  const router = createTicketRouter({
    store,
    log,
    metrics,
    authenticators: [applicationAuthenticator(options)],
    policy: policy.current,
    announcement: announcementOf(settings),
    ...routerSettings(settings),
  });
  const close = (): Promise<void> => {
    policy.end();
    return store.end();
  };
  return Object.assign(router, { metrics: metrics.registry, close });
}

function applicationAuthenticator({ authenticate, csrf = true, challenge }: TicketRouterOptions): Authenticator {
  return {
    challenge: () => challenge ?? 'Application realm="oncegate"',
    async authenticate(request) {
      const principal = await authenticate(request as Request); // the router is used in Express only
      if (principal === null || principal === undefined) return { kind: 'none' };
      const { subject, expiresAt, claims } = principal;
      if (!isSubject(subject)) throw new TypeError('authenticate() gave a subject that cannot be one');
      const end = endOf(expiresAt, 1);
      if (!end.ok) {
        const reason = 'authenticate() gave an expiresAt that is no number';
        return { kind: 'unavailable', code: 'authentication_unavailable', reason };
      }
      if (end.at !== undefined && end.at <= Date.now()) return { kind: 'invalid', reason: 'expiresAt has passed' };
      const ambient = csrf && isAmbient(request.headers.authorization);
      return {
        kind: 'principal',
        principal: {
          subject,
          ...(end.at !== undefined && { expiresAt: end.at }),
          ...(claims !== undefined && { claims }),
          ...(ambient && { ambient }),
        },
      };
    },
  };
}
