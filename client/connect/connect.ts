import type { ConnectOptions } from '../options.ts';
import { createConnector } from './connector.ts';

/**
 * Opens a WebSocket with a fresh ticket for every attempt, and resolves with it once it is **open**. While the
 * browser is offline, no attempt is made: it waits.
 *
 * @throws {ConnectRefused} with the true reason. The signal's reason where that was aborted.
 */
export async function connect<Socket = WebSocket>(options: ConnectOptions<Socket> = {}): Promise<Socket> {
  const { attempts = 1, signal = new AbortController().signal } = options;
  return createConnector(options, signal).open(attempts);
}
