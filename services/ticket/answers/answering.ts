import type { ServerResponse } from 'node:http';
import { sendRefusal } from '../../../shared/http/send-refusal.ts';
import type { Metrics } from '../../../shared/metrics.ts';
import { type Logger, logFault } from '../../../shared/process/log.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { StoreUnavailable } from '../../../shared/store/store.ts';

/**
 * Answers with a refusal. The subject, if it is known, and the reason, which the answer does not tell, go to the log.
 */
export type Refuse = (response: ServerResponse, refusal: Refusal, subject?: string, reason?: string) => void;

/** A request that cannot be read, and why, for the client. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest';
}

export interface Answering {
  readonly refuse: Refuse;
  /** Answers a request that cannot be read to its end. What is still done for it goes nowhere, and is no fault. */
  readonly refuseUnread: (response: ServerResponse, refusal: Refusal) => void;
  /** Answers an error: an expected one with its refusal, a fault with a bare 500 and a line in the log. */
  readonly fail: (response: ServerResponse, error: unknown) => void;
}

/** How the ticket service answers refusals and faults, and counts and logs them. */
export function createAnswering({ metrics, log }: { readonly metrics: Metrics; readonly log: Logger }): Answering {
  const unread = new WeakSet<ServerResponse>();

  function refuse(response: ServerResponse, refusal: Refusal, subject?: string, reason?: string): void {
    if (unread.has(response)) return;
    metrics.count('oncegate_requests_refused_total', refusal.code);
    log.info({ event: 'refusal', code: refusal.code, subject, reason });
    sendRefusal(response, refusal);
  }

  function refuseUnread(response: ServerResponse, refusal: Refusal): void {
    refuse(response, refusal);
    unread.add(response);
  }

  function fail(response: ServerResponse, error: unknown): void {
    if (unread.has(response)) return;
    if (response.headersSent) {
      logFault(log, error);
      response.destroy();
      return;
    }
    if (error instanceof MalformedRequest)
      return refuse(response, { code: 'request_malformed', detail: error.message });
    if (error instanceof StoreUnavailable) return refuse(response, { code: 'store_unavailable' });
    const status = clientErrorStatus(error);
    if (status !== undefined) {
      return refuse(response, { code: status === 413 ? 'payload_too_large' : 'request_malformed' });
    }
    logFault(log, error);
    response.statusCode = 500;
    response.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
    response.end('{"type":"about:blank","title":"Internal Server Error","status":500}');
  }

  return { refuse, refuseUnread, fail };
}

/** The 4xx status of an error that Express or its body parser raised; undefined for other errors. */
function clientErrorStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
