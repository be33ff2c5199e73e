import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { nanoid } from 'nanoid';
import { ABNORMAL_CLOSURE } from '../../shared/close-codes.ts';
import { createAdminServer } from '../../shared/http/admin-server.ts';
import { clientAddress, forwardedHost } from '../../shared/http/client-address.ts';
import { closeServer, listen } from '../../shared/http/listen.ts';
import { createMetrics, type Metrics } from '../../shared/metrics.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { RunningService } from '../../shared/process/run-service.ts';
import type { Refusal } from '../../shared/refusals.ts';
import type { Settings } from '../../shared/settings/table.ts';
import { counted } from '../../shared/store/create-store.ts';
import type { TicketStore } from '../../shared/store/store.ts';
import { type Admission, type AdmissionRules, admit } from './admit.ts';
import type { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import { drainConnections } from './drain.ts';
import { Echo } from './echo.ts';
import { Load } from './load.ts';
import { startPresence } from './presence.ts';
import { refuseUpgrade } from './refuse.ts';
import { createUpgradeServer } from './upgrade-server.ts';

export interface GatewayOptions {
  readonly settings: Settings;
  readonly store: TicketStore;
  readonly log: Logger;
}

type AdmittedUpgrade = Extract<Admission, { kind: 'admitted' }>;

/** Starts a gateway: its public port, its admin port, its place in the fleet. */
export async function startGateway({ settings, store, log: parentLog }: GatewayOptions): Promise<RunningService> {
  const gatewayId = settings.gatewayId ?? nanoid(10);
  const log = parentLog.child({ gateway: gatewayId });
  const metrics = createMetrics(['gateway']);
  const heartbeatMs = settings.heartbeatSeconds * 1000;
  const leaseMs = settings.leaseSeconds * 1000;
  const connections = new Connections({ gatewayId, store, log, metrics, heartbeatMs, leaseMs });
  const load = new Load(settings, () => connections.size);
  const upgrade = createUpgradeHandler({ settings, gatewayId, store, log, metrics, connections, load });

  const server = createUpgradeServer({
    tls: settings.tlsCertFile &&
      settings.tlsKeyFile && { cert: settings.tlsCertFile.content, key: settings.tlsKeyFile.content },
    onUpgrade: upgrade,
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
  const presence = startPresence(store, () => ({ gatewayId, connections: connections.size, draining: load.draining }));
  log.info({ event: 'listening', host: settings.host, port, admin_port: adminPort });

  return {
    port,
    adminPort,
    async drain() {
      load.drain();
      presence.refresh();
      log.info({ event: 'draining', connections: connections.size, drain_seconds: settings.drainSeconds });
      await drainConnections(connections, settings.drainSeconds);
      connections.stop();
      await Promise.all([closeServer(server), connections.recorded(), presence.end()]);
      await closeServer(admin);
    },
    abandon: () => connections.abandon(),
  };
}

interface UpgradeContext {
  readonly settings: Settings;
  readonly gatewayId: string;
  readonly store: TicketStore;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly connections: Connections;
  readonly load: Load;
}

/** What happens to one upgrade: admitted and opened, or refused. */
function createUpgradeHandler(context: UpgradeContext) {
  const { settings, gatewayId, store, log, metrics, connections, load } = context;
  const echo = new Echo(settings.maxMessageBytes);
  const rules: AdmissionRules = {
    gatewayId,
    audience: settings.gatewayAudience,
    carriers: settings.ticketCarriers,
    allowedOrigins: settings.allowedOrigins,
    bindAddress: settings.bindAddress,
    maxConnectionsPerSubject: settings.maxConnectionsPerSubject,
    limitPolicy: settings.connectionLimitPolicy,
  };

  return async (request: IncomingMessage, socket: Duplex, earlyBytes: number, pipelined: boolean): Promise<void> => {
    const address = clientAddress(request, settings.trustProxy);
    const leave = load.enter();
    try {
      const admission = await admit(
        {
          method: request.method ?? '',
          target: request.url ?? '',
          httpVersion: request.httpVersion,
          rawHeaders: request.rawHeaders,
          earlyBytes,
          pipelined,
          address,
          forwardedHost: forwardedHost(request, settings.trustProxy),
        },
        { rules, load, store, metrics },
      );
      if (admission.kind === 'refused') {
        refuseUpgrade(socket, admission.refusal);
        seeRefusal(admission.refusal, admission.subject, log, metrics);
        await load.failed(address, admission.refusal.code);
      } else {
        metrics.count('oncegate_handshakes_total', 'admitted');
        tellReplaced(admission, context);
        openEcho(admission, request, socket, echo, connections);
      }
    } finally {
      leave();
    }
  };
}

/** Opens an admitted connection, or writes down that its client went away meanwhile. */
function openEcho(
  { ticketId, attemptId, admitted, handshake }: AdmittedUpgrade,
  request: IncomingMessage,
  socket: Duplex,
  echo: Echo,
  connections: Connections,
): void {
  const { subject, claims = '{}', openedAt, sessionExpiresAt } = admitted;
  // ws answers from these headers: the ticket must not be among the subprotocols it chooses from.
  request.headers['sec-websocket-protocol'] = handshake.protocols.join(',');
  if (handshake.protocols.length === 0) delete request.headers['sec-websocket-protocol'];

  const wire = echo.open(request, socket, { ticketId, subject, claims }, (opened) => {
    const connection: Connection = connections.open({
      id: ticketId,
      attemptId,
      subject,
      openedAt,
      sessionExpiresAt,
      wire: opened,
    });
    return {
      heard: () => connection.heard(performance.now()),
      tooBig: () => connection.close('message_too_big', performance.now()),
      ended: (code, reason) => connections.ended(connection, code, reason),
    };
  });
  if (wire === null) connections.recordEnd({ id: ticketId, attemptId, subject }, ABNORMAL_CLOSURE, 'client_gone');
}

/** The connections that had to make room are closed by the gateways that hold them. */
function tellReplaced({ admitted }: AdmittedUpgrade, { store, metrics, log }: UpgradeContext): void {
  for (const { id, gatewayId } of admitted.replaced) {
    log.info({ event: 'replace', ticket_id: id, subject: admitted.subject, holder: gatewayId });
    const command = { command: 'close', ticket_id: id, reason: 'replaced' } as const;
    // Should it be lost, that gateway learns it with the next lease.
    counted(metrics, 'control', store.command(gatewayId, command)).catch(() => {});
  }
}

/** One log line and one count for each refusal; a replay is named as such. */
function seeRefusal(refusal: Refusal, subject: string | undefined, log: Logger, metrics: Metrics): void {
  const { code, ticketId } = refusal;
  metrics.count('oncegate_handshakes_total', code);
  if (code === 'ticket_consumed') {
    metrics.count('oncegate_replays_total');
    log.warn({ event: 'replay', code, ticket_id: ticketId, subject });
  } else {
    log.info({ event: 'refusal', code, ticket_id: ticketId, subject });
  }
}
