import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Metrics } from '../metrics.ts';
import type { Logger } from '../process/log.ts';
import type { Refusal } from '../refusals.ts';

/** How often the delay is measured: while it is within the bound, and while it is not. */
const EVERY_MS = 250;
const EVERY_MS_OVERLOADED = 20;
const LOG_EVERY_MS = 60_000;

/** Bounds of the `Retry-After` of an overload, seconds. Clients that came together must not come together again. */
const LEAST_WAIT = 5;
const MOST_WAIT = 15;

/** The refusal of a request that an overloaded service does not decide about. */
export function overloaded(random = Math.random): Refusal {
  const retryAfterSeconds = LEAST_WAIT + Math.floor(random() * (MOST_WAIT - LEAST_WAIT + 1));
  return { code: 'overloaded', retryAfterSeconds };
}

export interface AcceptQueueOptions {
  /** The bound (`OVERLOAD_DELAY_MS`); with 0 nothing is measured. */
  readonly overloadDelayMs: number;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * How long new connections wait before a server sees them. Under load they queue in the kernel, where nothing counts
 * them: Node accepts one connection in each turn of its event loop (since libuv 1.45). So the service connects to its
 * own port, and takes the time until it sees that connection. The time by which the event loop is late is part of it.
 */
export class AcceptQueue {
  readonly #options: AcceptQueueOptions;
  #measuredMs = 0;
  /** When the current or next measurement has to begin; infinite if there is none. */
  #dueAt = Number.POSITIVE_INFINITY;
  #probe: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AcceptQueueOptions) {
    this.#options = options;
  }

  /** How long a connection that is accepted now has waited, ms. */
  get delayMs(): number {
    return Math.max(this.#measuredMs, performance.now() - this.#dueAt);
  }

  /** Whether it is longer than the bound, so that new requests are refused. */
  get isLong(): boolean {
    const { overloadDelayMs } = this.#options;
    return overloadDelayMs > 0 && this.delayMs > overloadDelayMs;
  }

  /** Measures from now on, until the server stops listening. */
  watch(server: Server): void {
    if (this.#options.overloadDelayMs === 0) return;
    const { address, port } = server.address() as AddressInfo; // a TCP server that listens has one
    const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
    server.on('connection', (socket: Socket) => {
      if (this.#probe === undefined || socket.remotePort !== this.#probe.localPort) return;
      socket.destroy();
      this.#measured(performance.now() - this.#dueAt);
      this.#schedule(server, host, port);
    });
    this.#schedule(server, host, port);
  }

  #schedule(server: Server, host: string, port: number): void {
    clearTimeout(this.#timer);
    const probe = this.#probe;
    this.#probe = undefined;
    probe?.destroy();
    const pauseMs = this.#measuredMs > this.#options.overloadDelayMs ? EVERY_MS_OVERLOADED : EVERY_MS;
    this.#dueAt = performance.now() + pauseMs;
    this.#timer = setTimeout(() => {
      if (!server.listening) {
        this.#dueAt = Number.POSITIVE_INFINITY;
        return;
      }
      const probe = connect(port, host);
      this.#probe = probe;
      probe.on('error', () => {});
      // Nothing is learned from a connection that fails, such as at a limit of open files.
      probe.once('close', () => {
        if (this.#probe !== probe) return;
        this.#measuredMs = 0;
        this.#schedule(server, host, port);
      });
    }, pauseMs).unref();
  }

  #measured(delayMs: number): void {
    const { overloadDelayMs, metrics, log } = this.#options;
    this.#measuredMs = delayMs;
    metrics.set('oncegate_accept_delay_seconds', delayMs / 1000);
    if (delayMs <= overloadDelayMs || performance.now() - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = performance.now();
    log.warn(
      { event: 'overloaded', delay_ms: Math.round(delayMs), setting: 'OVERLOAD_DELAY_MS' },
      'new connections wait too long: new requests are refused until they do not',
    );
  }
}
