import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Registry } from 'prom-client';
import type { Refusal } from '../refusals.ts';
import { sendRefusal } from './send-refusal.ts';

/** Where a key set is found (RFC 8615; the name that RFC 8414 §2 uses for it). */
export const KEY_SET_PATH = '/.well-known/jwks.json';

/**
 * The longest request head that a gateway reads, on either port. Twice what Node reads: the cookies of a page,
 * all of which come along, may be more than that, and what is not read can be explained to nobody.
 */
export const MAX_HEAD_BYTES = 32_768;

export interface AdminOptions {
  readonly registry: Registry;
  /** Public keys by which the service's signatures can be checked (RFC 7517 §5), where it signs. */
  readonly keySet?: object | undefined;
  /**
   * Other paths that a service serves here: its handler, or undefined. It is asked upgrades as well, whatever
   * the method is, and never answers 101.
   */
  readonly route?: (
    path: string,
  ) => ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  /** Told of a fault of ours in one of those; the request concerned has been ended. */
  readonly onFault?: (error: unknown) => void;
  /** Why the service is not ready, or null when it is. */
  readonly notReady: () => Extract<Refusal['code'], 'draining' | 'store_unavailable'> | null;
}

/** Only reading is served there. */
export const METHOD_NOT_ALLOWED: Refusal = { code: 'method_not_allowed', allow: ['GET', 'HEAD'] };

/** The private port of a service: `/livez`, `/readyz`, `/metrics`. */
export function createAdminServer({ registry, keySet, route, onFault, notReady }: AdminOptions): Server {
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, async (request, response) => {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const handler = route?.(path);
    const known = path === '/livez' || path === '/readyz' || path === '/metrics';
    const hasKeys = path === KEY_SET_PATH && keySet !== undefined;
    if (!known && !hasKeys && handler === undefined) return sendRefusal(response, { code: 'not_found' });
    response.setHeader('Cache-Control', 'no-store');
    if (handler !== undefined) {
      return handler(request, response).catch((error: unknown) => {
        response.destroy();
        onFault?.(error);
      });
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return sendRefusal(response, METHOD_NOT_ALLOWED);
    if (path === '/metrics') {
      response.setHeader('Content-Type', registry.contentType);
      return response.end(await registry.metrics());
    }
    if (hasKeys) {
      response.setHeader('Content-Type', 'application/jwk-set+json');
      return response.end(JSON.stringify(keySet));
    }
    const reason = path === '/readyz' ? notReady() : null;
    if (reason !== null) return sendRefusal(response, { code: reason });
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    return response.end('ok\n');
  });
  // A proxy may forward the Upgrade of what it asks about (caddyserver/caddy#5430): it is a request like any other.
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on('finish', () => socket.end());
    // Nothing is read of it: without this a peer that goes away is not noticed.
    socket.on('end', () => socket.end());
    socket.resume();
    server.emit('request', request, response);
  });
  return server;
}
