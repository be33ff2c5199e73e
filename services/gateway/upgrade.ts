import type { IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { ABNORMAL_CLOSURE, type RecordedReason } from '../../shared/close-codes.ts';
import { clientAddress, forwardedHost } from '../../shared/http/client-address.ts';
import type { Metrics } from '../../shared/metrics.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Refusal } from '../../shared/refusals.ts';
import type { Settings } from '../../shared/settings/table.ts';
import { counted } from '../../shared/store/create-store.ts';
import type { TicketStore } from '../../shared/store/store.ts';
import { type AdmissionContext, type AdmittedUpgrade, admit, refuseEarly } from './admit.ts';
import type { Connections } from './connections.ts';
import { Echo } from './echo.ts';
import type { Load } from './load.ts';
import { refuseUpgrade } from './refuse.ts';

export interface UpgradeContext {
  readonly settings: Settings;
  readonly gatewayId: string;
  readonly store: TicketStore;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly connections: Connections;
  readonly load: Load;
}

/** What a gateway admits by, and with. */
function admissionContext({ settings, gatewayId, store, metrics, load }: UpgradeContext): AdmissionContext {
  const rules = {
    gatewayId,
    audience: settings.gatewayAudience,
    carriers: settings.ticketCarriers,
    allowedOrigins: settings.allowedOrigins,
    bindAddress: settings.bindAddress,
    maxConnectionsPerSubject: settings.maxConnectionsPerSubject,
    limitPolicy: settings.connectionLimitPolicy,
  };
  return { rules, load, store, metrics };
}

/** What happens to a request that is no upgrade, as a proxy makes them of upgrades: its ticket's record says so. */
export function createPlainRequestHandler(context: UpgradeContext) {
  const { settings, log, metrics, load } = context;
  const admissions = admissionContext(context);

  return async (request: IncomingMessage, refusal: Refusal): Promise<Refusal> => {
    const address = clientAddress(request, settings.trustProxy);
    const leave = load.enter();
    try {
      const presented = { target: request.url ?? '', rawHeaders: request.rawHeaders, address };
      const refused = await refuseEarly(refusal, presented, admissions);
      seeRefusal(refused.refusal, refused.subject, log, metrics);
      return refused.refusal;
    } finally {
      leave();
    }
  };
}

/** What happens to one upgrade: admitted and opened, or refused. */
export function createUpgradeHandler(context: UpgradeContext) {
  const { settings, log, metrics, connections, load } = context;
  const echo = new Echo(settings.maxMessageBytes);
  const admissions = admissionContext(context);

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
        admissions,
      );
      if (admission.kind === 'refused') {
        refuseUpgrade(socket, admission.refusal, request.method);
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
    const connection = connections.open({
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
  if (wire === null)
    connections.recordEnd(
      { id: ticketId, attemptId, subject },
      ABNORMAL_CLOSURE,
      'client_gone' satisfies RecordedReason,
    );
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
export function seeRefusal(refusal: Refusal, subject: string | undefined, log: Logger, metrics: Metrics): void {
  const { code, ticketId } = refusal;
  metrics.count('oncegate_handshakes_total', code);
  if (code === 'ticket_consumed') {
    metrics.count('oncegate_replays_total');
    log.warn({ event: 'replay', code, ticket_id: ticketId, subject });
  } else {
    log.info({ event: 'refusal', code, ticket_id: ticketId, subject });
  }
}
