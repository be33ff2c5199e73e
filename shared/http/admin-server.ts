import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Registry } from 'prom-client';
import type { Refusal } from '../refusals.ts';
import { sendRefusal } from './send-refusal.ts';
import { answerUnread, READING } from './unread-request.ts';
import { headFault } from './whole-head.ts';

/** The path of the public key set (RFC 8615, named as in RFC 8414 §2). */
export const KEY_SET_PATH = '/.well-known/jwks.json';

export interface AdminOptions {
  readonly registry: Registry;
  /** Public keys to verify the service's signatures (RFC 7517 §5), if it signs. */
  readonly keySet?: object | undefined;
  /**
   * Handlers of other paths on this port; undefined for a path that the service does not have. A handler gets
   * requests of every method and upgrades too. It never answers 101.
   */
  readonly route?: (
    path: string,
  ) => ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  /** Called with an exception of such a handler; its request has been ended. */
  readonly onFault?: (error: unknown) => void;
  /** Returns why the service is not ready; null if it is. */
  readonly notReady: () => Extract<Refusal['code'], 'draining' | 'store_unavailable'> | null;
}

/** The admin port serves only GET and HEAD. */
export const METHOD_NOT_ALLOWED: Refusal = { code: 'method_not_allowed', allow: ['GET', 'HEAD'] };

/** The private port of a service: `/livez`, `/readyz`, `/metrics`. */
export function createAdminServer({ registry, keySet, route, onFault, notReady }: AdminOptions): Server {
  const server = createServer(READING, async (request, response) => {
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
    const detail = headFault(request.rawHeaders);
    if (detail !== undefined) return sendRefusal(response, { code: 'request_malformed', detail });
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
  // A proxy may forward the Upgrade of the client's request (caddyserver/caddy#5430). It is handled like any request.
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on('finish', () => socket.end());
    // The body is not read, so only this notices a peer that goes away.
    socket.on('end', () => socket.end());
    socket.resume();
    server.emit('request', request, response);
  });
  answerUnread(server, (_request, response, refusal) => sendRefusal(response, refusal));
  return server;
}
