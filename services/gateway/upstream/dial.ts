import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Refusal } from '../../../shared/refusals.ts';
import { destroyOnError } from '../wires/destroy-on-error.ts';
import { type AnswerHead, type Offer, opensWebSocket, parseAnswerHead } from './answer-head.ts';
import { passedOn, RefusalBody } from './refusal-body.ts';

/** The address of an upstream, and its time-outs. */
export interface Upstream {
  /** `ws:` or `wss:`. Its path, if it has one, goes in front of the client's. */
  readonly url: URL;
  /** The `Host` that it is sent; undefined for the client's. */
  readonly host: string | undefined;
  /** PEM certificates to trust instead of the system's. */
  readonly ca: string | undefined;
  /** Time-out of the connection, TLS included, ms. */
  readonly connectTimeoutMs: number;
  /** Time-out from then until the answer is complete, ms. */
  readonly handshakeTimeoutMs: number;
}

export type Dialled =
  /** The upstream answered 101. The socket is paused, and bytes that came behind the answer are read from it first. */
  | { readonly kind: 'open'; readonly socket: Socket; readonly answer: AnswerHead }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** No server answers an upgrade with more. Interim answers count, because they could go on for ever. */
const MAX_HEAD_BYTES = 16_384;
const HEAD_END = '\r\n\r\n';
const KEEP_ALIVE_MS = 30_000;

const UNREACHABLE: Dialled = { kind: 'refused', refusal: { code: 'upstream_unreachable' } };
const TIMEOUT: Dialled = { kind: 'refused', refusal: { code: 'upstream_timeout' } };
const REFUSED: Dialled = { kind: 'refused', refusal: { code: 'upstream_refused' } };

/**
 * Opens a WebSocket to an upstream. Nothing of the answer is passed on before it was verified.
 *
 * @param head the head of the request, which is all of it
 * @param gone aborted if the client goes away
 */
export function dial(upstream: Upstream, head: string, offer: Offer, gone: AbortSignal): Promise<Dialled> {
  return new Promise((resolve) => {
    const socket = open(upstream);
    let read = Buffer.alloc(0);
    let skippedBytes = 0;
    let refusal: { readonly answer: AnswerHead; readonly body: RefusalBody } | undefined;

    let timer = setTimeout(() => settle(TIMEOUT), upstream.connectTimeoutMs);
    const onGone = () => settle(UNREACHABLE);
    gone.addEventListener('abort', onGone);

    function settle(dialled: Dialled): void {
      clearTimeout(timer);
      gone.removeEventListener('abort', onGone);
      socket.off('data', onData).off('end', onEnd).off('close', onClose);
      if (dialled.kind === 'refused') socket.destroy();
      else socket.pause();
      resolve(dialled);
    }

    /** Passes the upstream's own refusal on, with its body if that is complete. */
    function passOn(answer: AnswerHead, body?: Buffer): void {
      settle({ kind: 'refused', refusal: { code: 'upstream_refused', passedOn: passedOn(answer, body) } });
    }

    /** The answer and the bytes behind it; null if it is malformed. Interim answers are skipped (RFC 9110 §15.2). */
    function finalHead(): { readonly answer: AnswerHead; readonly rest: Buffer } | 'incomplete' | null {
      for (;;) {
        const end = read.indexOf(HEAD_END);
        if (skippedBytes + (end < 0 ? read.length : end) > MAX_HEAD_BYTES) return null;
        if (end < 0) return 'incomplete';
        const answer = parseAnswerHead(read.toString('latin1', 0, end));
        const rest = read.subarray(end + HEAD_END.length);
        if (answer === null) return null;
        if (!isInterim(answer)) return { answer, rest };
        skippedBytes += read.length - rest.length;
        read = rest;
      }
    }

    function onData(chunk: Buffer): void {
      if (refusal !== undefined) {
        if (refusal.body.add(chunk)) passOn(refusal.answer, refusal.body.bytes(false));
        return;
      }
      read = Buffer.concat([read, chunk]);
      const head = finalHead();
      if (head === 'incomplete') return;
      if (head === null) return settle(REFUSED);

      const { answer, rest } = head;
      if (opensWebSocket(answer, offer)) {
        settle({ kind: 'open', socket, answer });
        if (rest.length > 0) socket.unshift(rest);
        return;
      }
      if (answer.status < 400 || answer.status > 499) return settle(REFUSED);
      refusal = { answer, body: new RefusalBody(answer) };
      if (refusal.body.add(rest)) passOn(answer, refusal.body.bytes(false));
    }

    function onEnd(): void {
      if (refusal === undefined) settle(read.length === 0 ? UNREACHABLE : REFUSED);
      else passOn(refusal.answer, refusal.body.bytes(true));
    }

    /** The connection broke off: a body that ends with the connection may not be complete. */
    function onClose(): void {
      if (refusal === undefined) onEnd();
      else passOn(refusal.answer);
    }

    destroyOnError(socket);
    socket.once(upstream.url.protocol === 'wss:' ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        // A refusal whose body has not come in time is passed on without it.
        if (refusal === undefined) settle(TIMEOUT);
        else passOn(refusal.answer);
      }, upstream.handshakeTimeoutMs);
      socket.write(head, 'latin1');
    });
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('close', onClose);
  });
}

/** Whether another answer follows. A 101 is the last answer: behind it there is no more HTTP. */
function isInterim({ status }: AnswerHead): boolean {
  return status < 200 && status !== 101;
}

function open({ url, ca }: Upstream): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const common = { host, allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  if (url.protocol !== 'wss:') return connect({ ...common, port: Number(url.port || 80) });
  return connectTls({
    ...common,
    port: Number(url.port || 443),
    // RFC 6066 §3: a server name is never an address.
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    ALPNProtocols: ['http/1.1'],
    ...(ca !== undefined && { ca }),
  });
}
