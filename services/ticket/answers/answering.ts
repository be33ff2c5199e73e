import type { ServerResponse } from 'node:http';
import { sendRefusal } from '../../../shared/http/send-refusal.ts';
import type { Metrics } from '../../../shared/metrics.ts';
import { type Logger, logFault } from '../../../shared/process/log.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { StoreUnavailable } from '../../../shared/store/store.ts';

/** Answers with a refusal; `subject` is whom it concerns, where that is known. */
export type Refuse = (response: ServerResponse, refusal: Refusal, subject?: string) => void;

export interface Answering {
  readonly refuse: Refuse;
  /** Expected failures become refusals; whatever is left is a fault of ours, told only to the log. */
  readonly fail: (response: ServerResponse, error: unknown) => void;
}

/** How the ticket service says no, and writes that down. */
export function createAnswering({ metrics, log }: { readonly metrics: Metrics; readonly log: Logger }): Answering {
  function refuse(response: ServerResponse, refusal: Refusal, subject?: string): void {
    metrics.count('oncegate_requests_refused_total', refusal.code);
    log.info({ event: 'refusal', code: refusal.code, subject });
    sendRefusal(response, refusal);
  }

  function fail(response: ServerResponse, error: unknown): void {
    if (response.headersSent) {
      logFault(log, error);
      response.destroy();
      return;
    }
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

  return { refuse, fail };
}

/** The status of an error that express or its body parser blames on the request. */
function clientErrorStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
