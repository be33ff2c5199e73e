import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import { createLogger, type Logger, logFault } from '../../../shared/process/log.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { type Environment, loadSettings, readEnvironment } from '../../../shared/settings/load.ts';
import { createEmbeddedStore } from '../../../shared/store/embedded-store.ts';
import type { Decision } from '../admission/admitter.ts';
import { createGatewayCore } from '../core.ts';
import { gatewayRules } from '../rules.ts';
import { destroyOnError } from '../wires/destroy-on-error.ts';
import { destroyUnread, Hold } from '../wires/hold.ts';
import { RawWire } from '../wires/raw-wire.ts';
import { type ClaimsSchema, checkClaims } from './claims-schema.ts';
import { isTaken, watchServers } from './other-listeners.ts';
import { plainServerFor, serveAsPlain } from './plain-request.ts';
import { refuseUpgrade } from './refuse.ts';
import { TOO_EARLY, visitorOf } from './visitor.ts';
import { withoutTicket } from './without-ticket.ts';

type AnyClaims = Readonly<Record<string, unknown>>;

/** The subject that a connection acts for, with its claims. The request has it as `oncegate`. */
export interface Admittance<Claims = AnyClaims, ClientClaims = AnyClaims> {
  /** The id of the ticket, which is also the id of the connection. */
  readonly ticketId: string;
  readonly subject: string;
  /** Undefined if the ticket was issued without an audience. */
  readonly audience: string | undefined;
  /** What the issuer of the credentials, the ticket policy, or a back end with an API key vouches for. */
  readonly claims: Claims;
  /** What the caller itself asked for. Anybody who may sign in can write anything here. */
  readonly clientClaims: ClientClaims;
}

declare module 'node:http' {
  interface IncomingMessage {
    /** The subject of an admitted upgrade, with its claims. */
    oncegate?: Admittance;
  }
}

export interface AdmitUpgradeOptions<Claims, ClientClaims = AnyClaims> {
  /** A Standard Schema (zod, valibot, arktype) for a ticket's claims. Claims that do not fit are refused with 403. */
  readonly claims?: ClaimsSchema<Claims>;
  /** The same for the claims that the caller itself asked for. */
  readonly clientClaims?: ClaimsSchema<ClientClaims>;
  /** Settings by the names of their environment variables. Default: the environment and `.env`. */
  readonly settings?: Environment;
  /** Default: JSON lines on stdout. */
  readonly log?: Logger;
}

export interface UpgradeGate<Claims, ClientClaims = AnyClaims> {
  /**
   * Decides about an upgrade. A refused upgrade has been answered: the caller has nothing left to do.
   * The promise never rejects. Until it resolves nothing may be written to the socket: that destroys it. A request for
   * another protocol, such as h2c, goes to the server's listener for requests, and then resolves with null.
   *
   * @returns the subject of the connection and its claims, also as `request.oncegate`; null if it was refused
   */
  (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Admittance<Claims, ClientClaims> | null>;
  /** Whether the store would answer now. While it would not, every upgrade with a ticket is refused with 503. */
  ready(): boolean;
  /** The Prometheus metrics of the gateway. */
  readonly metrics: Registry;
  /** Refuses every new upgrade, closes the open connections spread over `DRAIN_SECONDS`, and closes the store. */
  close(): Promise<void>;
}

/**
 * A gateway inside a Node server that opens its own WebSockets:
 * `if (await admit(request, socket, head)) wss.handleUpgrade(request, socket, head, opened)`.
 * The ticket is removed from the request before the application sees it.
 *
 * @throws TypeError that names every fault of the settings
 */
export function admitUpgrade<Claims = AnyClaims, ClientClaims = AnyClaims>(
  options: AdmitUpgradeOptions<Claims, ClientClaims> = {},
): UpgradeGate<Claims, ClientClaims> {
  const loaded = loadSettings(options.settings ?? readEnvironment(), gatewayRules);
  if (!loaded.ok) throw new TypeError(`oncegate is not configured well:\n${loaded.faults.join('\n')}`);
  const { settings } = loaded;
  const log = options.log ?? createLogger(settings.logLevel, { service: 'gateway' });
  const store = createEmbeddedStore(settings, log);
  const core = createGatewayCore({ settings, store, log });
  core.join();
  const unwatch = watchServers();
  /** Sockets that the gate was asked about. */
  const asked = new WeakSet<Duplex>();

  async function answer(
    decision: Decision,
    request: IncomingMessage,
    socket: Duplex,
    hold: Hold,
  ): Promise<Admittance<Claims, ClientClaims> | null> {
    const refuse = (refusal: Refusal): null => {
      hold.release();
      refuseUpgrade(socket, refusal, request.method);
      return null;
    };
    if (decision.kind === 'refused') return refuse(decision.refusal);
    const { entry } = decision;
    const { ticketId, admitted, handshake } = entry.admission;
    const claims = await checkClaims(options.claims, admitted.claims);
    const clientClaims = await checkClaims(options.clientClaims, admitted.clientClaims);
    for (const checked of [claims, clientClaims]) {
      if (!checked.ok && 'fault' in checked) logFault(core.log, checked.fault);
    }
    if (socket.destroyed || !socket.writable) {
      entry.gone();
      return null;
    }
    if (!claims.ok || !clientClaims.ok) return refuse(await entry.takeBack(CLAIMS_REFUSED));
    if (socket.readableLength > 0) return refuse(await entry.takeBack(TOO_EARLY));
    hold.release();
    if (socket.destroyed) return null;
    withoutTicket(request, handshake);
    const { subject, audience } = admitted;
    const admittance = { ticketId, subject, audience, claims: claims.value, clientClaims: clientClaims.value };
    // The return value has the claims by the type of their schema. The request knows only that they are an object.
    request.oncegate = admittance as Admittance;
    new RawWire(socket as Socket, (wire) => entry.open(wire)); // node:http passes on sockets of node:net
    return admittance;
  }

  async function gate(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<Admittance<Claims, ClientClaims> | null> {
    destroyOnError(socket);
    if (socket.destroyed || socket.writableEnded) return null;
    const busy = isBusy(socket);
    const misused = (misuse: keyof typeof MISUSES): null => {
      destroyUnread(socket, new Error(misuse));
      // On a busy socket it may have been the answer to the earlier request.
      if (!busy) core.log.warn({ event: misuse }, MISUSES[misuse]);
      return null;
    };
    if (asked.has(socket)) return misused('upgrade_asked_twice');
    asked.add(socket);
    if (isTaken(socket)) return misused('upgrade_taken');
    const hold = new Hold(socket, () => misused('upgrade_not_awaited'));
    try {
      const server = plainServerFor(request, socket);
      if (server !== undefined) {
        await nextTurn();
        hold.release();
        if (!socket.destroyed) await serveAsPlain(server, request, socket, head);
        return null;
      }
      const visitor = visitorOf(request, head.length, busy, settings.trustProxy);
      const admittance = await core.admitter.decide(visitor, (decision) => answer(decision, request, socket, hold));
      // The ticket may have been revoked, or the client gone, as soon as the connection was open.
      return socket.destroyed ? null : admittance;
    } catch (error) {
      socket.destroy();
      logFault(core.log, error);
      return null;
    }
  }

  async function close(): Promise<void> {
    await core.drain();
    await core.leave();
    await store.end();
    unwatch();
  }
  return Object.assign(gate, { ready: () => store.ready, metrics: core.metrics.registry, close });
}

/** How an application can use the gate so that a socket could open without a ticket, each with what to write instead. */
const MISUSES = {
  upgrade_not_awaited:
    'closed, since the socket was written to before the decision: write `if (await admit(request, socket, head))`',
  upgrade_asked_twice: 'closed, since the gate was called twice for one upgrade: call it once',
  upgrade_taken:
    "closed, since the server has another listener for 'upgrade': remove it with `server.removeAllListeners('upgrade')`, and call it for admitted upgrades only",
};

const CLAIMS_REFUSED: Refusal = {
  code: 'upstream_refused',
  detail: 'The claims of the ticket are not what the application expects.',
  passedOn: { status: 403, headers: [], body: new Uint8Array() },
};

/** Whether an earlier request on the same socket is still being answered. The 101 would overtake that answer. */
function isBusy(socket: Duplex): boolean {
  return '_httpMessage' in socket && socket._httpMessage !== null && socket._httpMessage !== undefined;
}
