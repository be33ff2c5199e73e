import { nanoid } from 'nanoid';
import { createAdminServer } from '../../shared/http/admin-server.ts';
import { closeServer, listen } from '../../shared/http/listen.ts';
import { createMetrics } from '../../shared/metrics.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { RunningService } from '../../shared/process/run-service.ts';
import type { Settings } from '../../shared/settings/table.ts';
import type { TicketStore } from '../../shared/store/store.ts';
import { Connections } from './connections.ts';
import { drainConnections } from './drain.ts';
import { Load } from './load.ts';
import { Presence } from './presence.ts';
import { createPlainRequestHandler, createUpgradeHandler, seeRefusal, type UpgradeContext } from './upgrade.ts';
import { createUpgradeServer } from './upgrade-server.ts';

export interface GatewayOptions {
  readonly settings: Settings;
  readonly store: TicketStore;
  readonly log: Logger;
}

/** Starts a gateway: its public port, its admin port, its place in the fleet. */
export async function startGateway({ settings, store, log: parentLog }: GatewayOptions): Promise<RunningService> {
  const gatewayId = settings.gatewayId ?? nanoid(10);
  const log = parentLog.child({ gateway: gatewayId });
  const metrics = createMetrics(['gateway']);
  const heartbeatMs = settings.heartbeatSeconds * 1000;
  const leaseMs = settings.leaseSeconds * 1000;
  const connections = new Connections({ gatewayId, store, log, metrics, heartbeatMs, leaseMs });
  const load = new Load(settings, () => connections.size);
  const context: UpgradeContext = { settings, gatewayId, store, log, metrics, connections, load };

  const server = createUpgradeServer({
    tls: settings.tlsCertFile &&
      settings.tlsKeyFile && { cert: settings.tlsCertFile.content, key: settings.tlsKeyFile.content },
    onUpgrade: createUpgradeHandler(context),
    onPlainRequest: createPlainRequestHandler(context),
    onRefused: (refusal) => seeRefusal(refusal, undefined, log, metrics),
    onFault: (error) => log.error({ event: 'fault', message: error instanceof Error ? error.message : 'unknown' }),
  });
  const admin = createAdminServer({
    registry: metrics.registry,
    notReady: () => (load.draining ? 'draining' : store.ready ? null : 'store_unavailable'),
  });

  const port = await listen(server, settings.host, settings.gatewayPort);
  const adminPort = await listen(admin, settings.host, settings.gatewayAdminPort);
  store.listen(gatewayId, (command) => {
    if (command.command === 'close') connections.close(command.ticket_id, command.reason);
    else connections.renew(command.ticket_id, command.session_expires_at);
  });
  const presence = new Presence({
    store,
    metrics,
    status: () => ({ gatewayId, connections: connections.size, draining: load.draining }),
  });
  log.info({ event: 'listening', host: settings.host, port, admin_port: adminPort });

  return {
    port,
    adminPort,
    async drain() {
      load.drain();
      presence.refresh();
      log.info({ event: 'draining', connections: connections.size, drain_seconds: settings.drainSeconds });
      await drainConnections(connections, load, settings.drainSeconds);
      connections.stop();
      await Promise.all([closeServer(server), connections.recorded(), presence.end()]);
      await closeServer(admin);
    },
    abandon: () => connections.abandon(),
  };
}
