import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, problemOf } from '../http/http-answer.ts';
import { bearer } from '../logins/bearer.ts';
import { RawClient } from '../sockets/raw-client.ts';
import { upgradeRequest } from '../sockets/upgrade-request.ts';
import type { Fleet, IssuedTicket } from './services.ts';

/** One request of a load and its answer. Times are those of `performance.now()`. */
export interface Sample {
  readonly kind: 'issue' | 'upgrade';
  /** The port of the request. */
  readonly port: number;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly status: number;
  /** The code of the refusal, if it was one. */
  readonly code: string | undefined;
  readonly retryAfter: string | undefined;
  /** Whether the ticket was fresh. A spare one may have been consumed or lost in an earlier round. */
  readonly fresh: boolean;
}

export interface SteadyLoad {
  readonly samples: readonly Sample[];
  /** When the oldest request without an answer was sent; now if there is none. */
  oldestSentAt(): number;
  /** Stops the load; rejects if one of its loops has failed. */
  stop(): Promise<void>;
}

/** The pause between two rounds of a loop. It sets the rate; no test waits for it. */
const PACE_MS = 10;

/** Loops for each gateway. */
const LOOPS_EACH = 3;

/**
 * Starts loops that ask for a ticket, open a connection with it, and close it. A loop that gets no ticket presents a
 * spare one, so that the gateways are always under load.
 */
export async function startSteadyLoad({ ticket, gateways }: Fleet): Promise<SteadyLoad> {
  const samples: Sample[] = [];
  const underWay = new Set<number>();
  let stopped = false;

  async function ask(kind: Sample['kind'], port: number, request: Buffer | string, fresh = true): Promise<Answer> {
    const client = await RawClient.connect(port);
    const sentAt = performance.now();
    underWay.add(sentAt);
    client.socket.write(request);
    const outcome = await client.outcome.finally(() => underWay.delete(sentAt));
    const answeredAt = performance.now();
    await client.destroy();
    if (outcome.kind === 'reset') throw new Error(`${kind}: the connection was broken`);
    const [answer, ...more] = outcome.kind === 'open' ? [outcome.answer] : outcome.answers;
    if (answer === undefined || more.length > 0) throw new Error(`${kind}: not one answer`);
    const code = answer.status >= 400 ? problemOf(answer).code : undefined;
    const retryAfter = answer.header('retry-after');
    samples.push({ kind, port, sentAt, answeredAt, status: answer.status, code, retryAfter, fresh });
    return answer;
  }

  async function issue(authorization: string): Promise<IssuedTicket | undefined> {
    const answer = await ask('issue', ticket.port, issueRequest(authorization));
    return answer.status === 201 ? (JSON.parse(answer.body) as IssuedTicket) : undefined; // what the service answers with
  }

  async function loop(subject: string, port: number): Promise<void> {
    const authorization = await bearer(subject, '12h');
    let spare = '';
    while (!stopped) {
      const issued = await issue(authorization);
      await ask('upgrade', port, upgradeRequest({ ticket: issued?.ticket ?? spare }), issued !== undefined);
      spare = issued?.ticket ?? spare;
      await pause(PACE_MS);
    }
  }

  const loops = gateways.flatMap(({ port }) =>
    Array.from({ length: LOOPS_EACH }, (_, index) => loop(`load-${port}-${index}`, port)),
  );
  const all = Promise.all(loops);
  all.catch(() => {
    stopped = true; // stop() tells
  });
  return {
    samples,
    oldestSentAt: () => Math.min(performance.now(), ...underWay),
    async stop() {
      stopped = true;
      await all;
    },
  };
}

/** `POST /tickets` with an empty body. */
export function issueRequest(authorization: string): string {
  const lines = ['POST /tickets HTTP/1.1', 'Host: localhost', `Authorization: ${authorization}`, 'Content-Length: 0'];
  return `${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`;
}
