import type { ConnectOptions } from '../options.ts';
import { Connector } from './connector.ts';

/**
 * Opens a WebSocket, with a fresh ticket for each attempt, and resolves once it is **open**. While the browser is
 * offline or the page is frozen, it waits and makes no attempt.
 *
 * @throws {ConnectRefused} with the true reason
 * @throws the reason of `options.signal` if that is aborted
 */
export async function connect<Socket = WebSocket>(options: ConnectOptions<Socket> = {}): Promise<Socket> {
  const { attempts = 1, signal = new AbortController().signal } = options;
  return new Connector(options, signal).open(attempts);
}
