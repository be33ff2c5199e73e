import { readdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from './log.ts';
import { openFilesLimit } from './open-files.ts';

/** Open files that public sockets never get: for the admin port, Redis, counterparts and files that are read. */
const RESERVE = 32;
const LOG_EVERY_MS = 60_000;

/**
 * The files that the public sockets of this process may have open. At the limit of the system Node accepts a
 * connection and closes it without a word, on the admin port too. So public sockets stop before that.
 */
export class OpenSockets {
  readonly #most: number;
  #open = 0;

  /** @param limit how many files the process may have open; undefined for no bound */
  constructor(limit = openFilesLimit(), others = filesOpenNow()) {
    this.#most = limit === undefined ? Number.POSITIVE_INFINITY : Math.max(1, limit - others - RESERVE);
  }

  /** Whether new work should be refused, while there still is a file to refuse it on. */
  get few(): boolean {
    return this.#open > this.#most - RESERVE / 2;
  }

  /**
   * Closes each new connection of a server that is one too many.
   *
   * @param files how many files a connection takes: two if it is passed on
   */
  guard(server: Server, files: number, log: Logger): void {
    let closed = 0;
    let loggedAt = Number.NEGATIVE_INFINITY;
    server.on('connection', (socket: Socket) => {
      this.#open += files;
      socket.once('close', () => {
        this.#open -= files;
      });
      if (this.#open <= this.#most) return;
      socket.destroy();
      closed += 1;
      if (performance.now() - loggedAt < LOG_EVERY_MS) return;
      loggedAt = performance.now();
      log.error(
        { event: 'open_files_exhausted', closed },
        'too few open files: new connections are closed (ulimit -n)',
      );
      closed = 0;
    });
  }
}

/** Both services of one process share it. */
let ofThisProcess: OpenSockets | undefined;

/** Called when everything else is open. */
export function openSockets(): OpenSockets {
  ofThisProcess ??= new OpenSockets();
  return ofThisProcess;
}

function filesOpenNow(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
