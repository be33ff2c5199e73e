import { Connector } from './connector.ts';
import type { ConnectOptions } from './options.ts';

/**
 * Opens a WebSocket with a fresh ticket for every attempt, and resolves with it once it is **open**.
 *
 * @throws {ConnectRefused} with the true reason. The signal's reason where that was aborted.
 */
export async function connect<Socket = WebSocket>(options: ConnectOptions<Socket> = {}): Promise<Socket> {
  const done = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, done.signal]) : done.signal;
  try {
    const { socket } = await new Connector(options, signal).open(options.attempts ?? 1);
    return socket;
  } finally {
    done.abort();
  }
}
