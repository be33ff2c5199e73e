import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { readBody } from '../records/tickets.ts';
import type { createSteps } from './router.ts';

/**
 * Answers `POST /tickets` with the same steps as the router, without Express around them: that and what it
 * does for an answer took 30 % of the CPU of an issued ticket. A test compares the answers of both ways.
 *
 * @param otherwise answers every other request
 */
export function issueDirectly(
  { hardening, signIn, issue, fail }: ReturnType<typeof createSteps>,
  otherwise: RequestListener,
): RequestListener {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What they do for a POST they do at once; only a preflight is answered by one of them.
    for (const step of hardening) step(request, response, raise);
    const caller = await signIn(request, response);
    if (caller === undefined) return;
    await read(request, response);
    await issue(request, response, caller);
  }

  return (request, response) => {
    if (request.method !== 'POST' || request.url !== '/tickets') return otherwise(request, response);
    return void answer(request, response).catch((error: unknown) => fail(response, error));
  };
}

function read(request: IncomingMessage, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    readBody(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
}

function raise(error?: unknown): void {
  if (error !== undefined) throw error;
}
