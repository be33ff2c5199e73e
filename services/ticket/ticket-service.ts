import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import express from 'express';
import { watchCertificate } from '../../shared/files/certificate-files.ts';
import { AcceptQueue } from '../../shared/http/accept-queue.ts';
import { createAdminServer } from '../../shared/http/admin-server.ts';
import { closeServer, listen } from '../../shared/http/listen.ts';
import { answerUnread, READING, REQUEST_TIMEOUT_MS } from '../../shared/http/unread-request.ts';
import { createMetrics } from '../../shared/metrics.ts';
import type { Logger } from '../../shared/process/log.ts';
import { openSockets } from '../../shared/process/open-sockets.ts';
import type { RunningService } from '../../shared/process/run-service.ts';
import type { Settings } from '../../shared/settings/table.ts';
import { MeasuredStore } from '../../shared/store/measured-store.ts';
import type { TicketStore } from '../../shared/store/store.ts';
import type { Authenticator } from './authenticators/authenticator.ts';
import {
  type AuthenticationContext,
  configuredAuthenticators,
  takesExistingLogin,
} from './authenticators/configured.ts';
import { pastExpress } from './fronts/post-tickets.ts';
import { createSteps, createTicketRouter, routerSettings } from './fronts/router.ts';
import { type Announcement, announcementOf } from './issuing/announce.ts';
import { watchPolicy } from './issuing/policy-file.ts';
import type { Playground } from './pages/playground.ts';

export interface TicketServiceOptions {
  readonly settings: Settings;
  readonly store: TicketStore;
  /** Who may sign in. Default: the authenticators that the settings configure. */
  readonly authenticators?: (context: AuthenticationContext) => readonly Authenticator[];
  readonly log: Logger;
  /** What tickets tell about the gateways. Default: what the settings say. */
  readonly announcement?: Announcement;
  /** The playground. `PLAYGROUND` turns it on or off; if that is not set, the playground is on if this is given. */
  readonly playground?: Playground;
}

/** Starts the ticket service: its public port and its admin port. */
export async function startTicketService(options: TicketServiceOptions): Promise<RunningService> {
  const { settings, log, announcement = announcementOf(settings) } = options;
  const { authenticators = configuredAuthenticators, playground } = options;
  const metrics = createMetrics(['ticket']);
  const store = new MeasuredStore(options.store, metrics);
  const policy = watchPolicy(settings, log);
  const queue = new AcceptQueue({ ...settings, metrics, log });
  let draining = false;
  const routerOptions = {
    store,
    authenticators: authenticators({ settings, store, log }),
    announcement,
    log,
    metrics,
    policy: policy.current,
    ...routerSettings(settings),
    playground:
      (settings.playground ?? playground !== undefined)
        ? { existingLogin: takesExistingLogin(settings), ...playground }
        : undefined,
    isOverloaded: () => queue.isLong,
    wholeApplication: true,
  };
  const steps = createSteps(routerOptions);
  const app = express();
  app.set('etag', false);
  app.disable('x-powered-by');
  app.use(createTicketRouter(routerOptions, steps));
  const handler = pastExpress(steps, app);
  const { tlsCertFile: cert, tlsKeyFile: key } = settings;
  const server =
    cert && key
      ? createTlsServer(
          { ...READING, handshakeTimeout: REQUEST_TIMEOUT_MS, cert: cert.content, key: key.content },
          handler,
        )
      : createServer(READING, handler);
  answerUnread(server, steps.refuseUnread);
  const certificate = watchCertificate(server, settings, log);
  const admin = createAdminServer({
    registry: metrics.registry,
    notReady: () => (draining ? 'draining' : store.ready ? null : 'store_unavailable'),
  });

  const port = await listen(server, settings, 'TICKET_PORT');
  const adminPort = await listen(admin, settings, 'TICKET_ADMIN_PORT');
  openSockets().guard(server, 1, log);
  queue.watch(server);
  log.info({ event: 'listening', host: settings.host, port, admin_host: settings.adminHost, admin_port: adminPort });

  return {
    port,
    adminPort,
    async drain() {
      draining = true;
      await closeServer(server);
      await closeServer(admin);
      policy.end();
      certificate.end();
    },
    abandon: () => server.closeAllConnections(),
  };
}
