import { nanoid } from 'nanoid';
import { AcceptQueue } from '../../shared/http/accept-queue.ts';
import { createMetrics, type Metrics } from '../../shared/metrics.ts';
import type { Logger } from '../../shared/process/log.ts';
import { openSockets } from '../../shared/process/open-sockets.ts';
import type { Settings } from '../../shared/settings/table.ts';
import { MeasuredStore } from '../../shared/store/measured-store.ts';
import type { TicketStore } from '../../shared/store/store.ts';
import { Admitter } from './admission/admitter.ts';
import { Load } from './admission/load.ts';
import { watchRoutes } from './admission/routes.ts';
import { Connections } from './connections/connections.ts';
import { drainConnections } from './connections/drain.ts';
import { Presence } from './connections/presence.ts';

const SHARED_ID =
  'another gateway has the same GATEWAY_ID: commands and connections of both are mixed up; give each an id of its own';

export interface GatewayOptions {
  readonly settings: Settings;
  readonly store: TicketStore;
  readonly log: Logger;
}

/** A gateway without its ports: admission, open connections, and its announcement in the fleet. */
export interface GatewayCore {
  readonly admitter: Admitter;
  readonly load: Load;
  /** Measures nothing until it watches a server. */
  readonly queue: AcceptQueue;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Joins the fleet: from now on it receives commands and is announced in the store. */
  join(): void;
  /** Refuses every new upgrade and closes the open connections, spread over `DRAIN_SECONDS`. */
  drain(): Promise<void>;
  /** Leaves the fleet once every end of a connection is recorded. */
  leave(): Promise<void>;
  /** Closes every connection that is left with `going_away`. */
  abandon(): void;
}

export function createGatewayCore({ settings, store: plainStore, log: parentLog }: GatewayOptions): GatewayCore {
  const gatewayId = settings.gatewayId ?? nanoid(10);
  const log = parentLog.child({ gateway: gatewayId });
  settings.trustProxy?.reportTo(log);
  const metrics = createMetrics(['gateway']);
  const store = new MeasuredStore(plainStore, metrics);
  const heartbeatMs = settings.heartbeatSeconds * 1000;
  const leaseMs = settings.leaseSeconds * 1000;
  const connections = new Connections({ gatewayId, store, log, metrics, heartbeatMs, leaseMs });
  const queue = new AcceptQueue({ ...settings, metrics, log });
  const load = new Load(
    settings,
    () => connections.size,
    undefined,
    () => openSockets().few || queue.isLong,
  );
  const routes = watchRoutes(settings, log);
  const findRoute = routes.find;
  const admitter = new Admitter({ settings, gatewayId, findRoute, store, log, metrics, connections, load });
  let presence: Presence | undefined;

  return {
    admitter,
    load,
    queue,
    metrics,
    log,
    join() {
      store.listen(gatewayId, (command) => {
        if (command.command === 'close') connections.close(command.ticket_id, command.reason);
        else connections.renew(command.ticket_id, command.session_expires_at);
      });
      presence = new Presence({
        store,
        onShared: () => log.warn({ event: 'gateway_id_shared', setting: 'GATEWAY_ID' }, SHARED_ID),
        status: () => ({ gatewayId, connections: connections.size, draining: load.draining }),
      });
    },
    async drain() {
      load.drain();
      presence?.refresh();
      log.info({ event: 'draining', connections: connections.size, drain_seconds: settings.drainSeconds });
      await drainConnections(connections, load, settings.drainSeconds);
      connections.stop();
      routes.end();
    },
    async leave() {
      await Promise.all([connections.recorded(), presence?.end()]);
    },
    abandon: () => connections.abandon(),
  };
}
