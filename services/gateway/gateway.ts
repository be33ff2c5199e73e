import { watchCertificate } from '../../shared/files/certificate-files.ts';
import { createAdminServer } from '../../shared/http/admin-server.ts';
import { closeServer, listen } from '../../shared/http/listen.ts';
import { logFault } from '../../shared/process/log.ts';
import { openSockets } from '../../shared/process/open-sockets.ts';
import type { RunningService } from '../../shared/process/run-service.ts';
import { createGatewayCore, type GatewayOptions } from './core.ts';
import { ADMIT_PATH, createForwardAuth } from './fronts/forward-auth.ts';
import { createPlainRequestHandler, createUpgradeHandler } from './fronts/upgrade.ts';
import { createUpgradeServer } from './fronts/upgrade-server.ts';
import { readSigningKey } from './identity/signing-key.ts';

/** Starts a gateway: it listens on its public port and its admin port, and joins the fleet. */
export async function startGateway(options: GatewayOptions): Promise<RunningService> {
  const { settings, store } = options;
  const { trustProxy, maxMessageBytes, tlsCertFile, tlsKeyFile } = settings;
  const signing = await readSigningKey(settings);
  const core = createGatewayCore(options);
  const { admitter, load, metrics, log } = core;
  const onFault = (error: unknown): void => logFault(log, error);

  const server = createUpgradeServer({
    tls: tlsCertFile && tlsKeyFile && { cert: tlsCertFile.content, key: tlsKeyFile.content },
    keySet: signing?.keySet,
    onUpgrade: createUpgradeHandler({ admitter, trustProxy, maxMessageBytes, signing, metrics }),
    onPlainRequest: createPlainRequestHandler({ admitter, trustProxy }),
    onRefused: (refusal) => admitter.logRefusal(refusal),
    onFault,
  });
  const certificate = watchCertificate(server, settings, log);
  const forwardAuth = createForwardAuth({ admitter, trustProxy, signing });
  const admin = createAdminServer({
    registry: metrics.registry,
    keySet: signing?.keySet,
    route: (path) => (path === ADMIT_PATH || path.startsWith(`${ADMIT_PATH}/`) ? forwardAuth : undefined),
    onFault,
    notReady: () => (load.draining ? 'draining' : store.ready ? null : 'store_unavailable'),
  });

  const port = await listen(server, settings, 'GATEWAY_PORT');
  const adminPort = await listen(admin, settings, 'GATEWAY_ADMIN_PORT');
  const relays = settings.upstreamUrl !== undefined || settings.routesFile !== undefined;
  openSockets().guard(server, relays ? 2 : 1, log);
  core.queue.watch(server);
  core.join();
  log.info({ event: 'listening', host: settings.host, port, admin_host: settings.adminHost, admin_port: adminPort });

  return {
    port,
    adminPort,
    async drain() {
      await core.drain();
      await Promise.all([closeServer(server), core.leave()]);
      await closeServer(admin);
      certificate.end();
    },
    abandon: () => core.abandon(),
  };
}
