import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';
import type { Refusal } from '../refusals.ts';
import { sendRefusal } from './send-refusal.ts';

export interface AdminOptions {
  readonly registry: Registry;
  /** Why the service is not ready, or null when it is. */
  readonly notReady: () => Extract<Refusal['code'], 'draining' | 'store_unavailable'> | null;
}

/** The private port of a service: `/livez`, `/readyz`, `/metrics`. */
export function createAdminServer({ registry, notReady }: AdminOptions): Server {
  return createServer(async (request, response) => {
    const [path] = (request.url ?? '').split('?', 1);
    const known = path === '/livez' || path === '/readyz' || path === '/metrics';
    if (!known) return sendRefusal(response, { code: 'not_found' });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return sendRefusal(response, { code: 'method_not_allowed', allow: ['GET', 'HEAD'] });
    }
    response.setHeader('Cache-Control', 'no-store');
    if (path === '/metrics') {
      response.setHeader('Content-Type', registry.contentType);
      return response.end(await registry.metrics());
    }
    const reason = path === '/readyz' ? notReady() : null;
    if (reason !== null) return sendRefusal(response, { code: reason });
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    return response.end('ok\n');
  });
}
