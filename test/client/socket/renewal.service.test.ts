import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../client/connect/connect.ts';
import type { OncegateSocketOptions } from '../../../client/options.ts';
import { OncegateSocket } from '../../../client/socket/socket.ts';
import { bearer } from '../../support/logins/bearer.ts';
import { isMissing } from '../../support/machine/programs.ts';
import { until } from '../../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../../support/redis/redis.ts';
import { recordInRedis } from '../../support/services/fleet.ts';
import { type InProcess, runGateway, runTicketService } from '../../support/services/in-process.ts';
import { NodeSocket } from './node-socket.ts';

/** The shortest session. It may last a second less: the times in a JWT are whole seconds. */
const MIN_SESSION_SECONDS = 8;

let redis: SharedRedis;

beforeAll(async () => {
  redis = await workerRedis();
});

interface Stage {
  readonly service: InProcess;
  readonly gateway: InProcess;
  /** How long the first session lasts: much longer than it takes this machine to open a connection now. */
  readonly sessionSeconds: number;
  /** Options of a client with these headers, which renews at half of the first session. */
  options(authorization: () => string): OncegateSocketOptions;
}

async function setStage(): Promise<Stage> {
  const gateway = await runGateway({ REDIS_URL: redis.url });
  const service = await runTicketService({ REDIS_URL: redis.url, GATEWAY_URL: `ws://127.0.0.1:${gateway.port}` });
  const tickets = `http://127.0.0.1:${service.port}/tickets`;
  const sessionSeconds = MIN_SESSION_SECONDS + Math.ceil((40 * (await openingMs(tickets))) / 1000);
  return {
    service,
    gateway,
    sessionSeconds,
    options: (authorization) => ({
      tickets,
      headers: async () => ({ Authorization: authorization() }),
      renewBefore: sessionSeconds / 2,
      WebSocket: NodeSocket,
    }),
  };
}

/** How long it takes to open a connection now, in milliseconds. */
async function openingMs(tickets: string): Promise<number> {
  const headers = { Authorization: await bearer('ada') };
  const startedAt = performance.now();
  const socket = await connect({ tickets, headers, WebSocket: NodeSocket, timeoutMs: 60_000 });
  socket.close();
  return performance.now() - startedAt;
}

/** Credentials for one request after another: to issue, to read the record, to renew. The last ones are repeated. */
function inTurn(...credentials: readonly string[]): () => string {
  let requests = 0;
  return () => credentials[requests++] ?? String(credentials.at(-1));
}

interface Watched {
  readonly socket: OncegateSocket;
  readonly states: readonly string[];
  readonly closes: ReadonlyArray<{ readonly code: number; readonly reason: string; readonly wasClean: boolean }>;
  readonly errors: readonly Event[];
  /** Sends a message and waits until it comes back. */
  echo(message: string): Promise<unknown>;
}

async function open(options: OncegateSocketOptions): Promise<Watched> {
  const socket = new OncegateSocket(options);
  onTestFinished(() => socket.close());
  const states: string[] = [];
  const closes: Array<Watched['closes'][number]> = [];
  const errors: Event[] = [];
  const messages: unknown[] = [];
  socket.addEventListener('statechange', ({ state }) => states.push(state));
  socket.addEventListener('close', ({ code, reason, wasClean }) => closes.push({ code, reason, wasClean }));
  socket.addEventListener('error', (event) => errors.push(event));
  socket.addEventListener('message', ({ data }) => messages.push(data));
  await until(() => socket.state === 'open', { what: 'the socket is open' });
  const echo = (message: string) => {
    socket.send(message);
    return until(() => messages.includes(message), { what: `${message} comes back` });
  };
  return { socket, states, closes, errors, echo };
}

/** Opens another connection with these credentials, does not renew it, and resolves with its close code. */
async function sessionEnd({ options }: Stage, credentials: string): Promise<number> {
  const other = await connect({ ...options(() => credentials), WebSocket: NodeSocket });
  return new Promise((resolve) => other.addEventListener('close', ({ code }) => resolve(code)));
}

const expiryOf = (credentials: string): number => {
  const [, payload = ''] = credentials.split('.');
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number }).exp * 1000; // bearer() makes them with one
};

const eventsOf = ({ log }: InProcess, id: string | undefined, event: string) =>
  log.filter((line) => line.ticket_id === id && line.event === event);

describe.skipIf(isMissing('redis'))('a session whose access token expires', () => {
  test('is renewed with a fresh token, and the socket is never closed', async () => {
    const stage = await setStage();
    const first = await bearer('ada', `${stage.sessionSeconds}s`);
    const fresh = await bearer('ada', '10m');
    const ended = sessionEnd(stage, first);
    const { socket, states, closes, errors, echo } = await open(stage.options(inTurn(first, first, fresh)));
    const { ticketId } = socket;
    expect(await recordInRedis(redis, String(ticketId))).toMatchObject({ session_expires_at: String(expiryOf(first)) });

    expect(await ended).toBe(3000);
    await echo('after the end of the first token');
    expect(await recordInRedis(redis, String(ticketId))).toMatchObject({
      state: 'open',
      attempts: '1',
      session_expires_at: String(expiryOf(fresh)),
    });
    expect(eventsOf(stage.service, ticketId, 'renew')).toHaveLength(1);
    expect(eventsOf(stage.gateway, ticketId, 'open')).toHaveLength(1);
    expect(socket.ticketId).toBe(ticketId);
    expect(states).toEqual(['issuing', 'connecting', 'open']);
    expect([closes, errors]).toEqual([[], []]);
  });

  test('ends with 3000 for good if the renewal is refused, after one call of onUnauthenticated', async () => {
    const stage = await setStage();
    const first = await bearer('ada', `${stage.sessionSeconds}s`);
    const asked: string[] = [];
    const { socket, states, closes, errors } = await open({
      ...stage.options(inTurn(first, first, 'Bearer signed.out')),
      onUnauthenticated: ({ code }) => void asked.push(code),
    });
    await until(() => closes.length > 0, { what: 'the socket is closed' });

    expect(closes).toEqual([{ code: 3000, reason: 'session_expired', wasClean: true }]);
    expect(errors).toEqual([]);
    expect(asked).toEqual(['credentials_invalid']);
    expect(states).toEqual(['issuing', 'connecting', 'open', 'closed']);
    expect(socket.readyState).toBe(OncegateSocket.CLOSED);
    await until(async () => {
      expect(await recordInRedis(redis, String(socket.ticketId))).toMatchObject({
        state: 'closed',
        close_code: '3000',
        close_reason: 'session_expired',
        session_expires_at: String(expiryOf(first)),
      });
      return true;
    });
    expect(eventsOf(stage.service, socket.ticketId, 'renew')).toEqual([]);
  });

  test('goes on if the renewal is refused and the user then signs in', async () => {
    const stage = await setStage();
    const first = await bearer('ada', `${stage.sessionSeconds}s`);
    const fresh = await bearer('ada', '10m');
    const ended = sessionEnd(stage, first);
    const asked: string[] = [];
    let signedIn = false;
    const tokens = inTurn(first, first, 'Bearer signed.out');
    const { socket, states, closes, errors, echo } = await open({
      ...stage.options(() => (signedIn ? fresh : tokens())),
      async onUnauthenticated({ code }) {
        asked.push(code);
        signedIn = true;
      },
    });

    expect(await ended).toBe(3000);
    await echo('after the end of the first token');
    expect(asked).toEqual(['credentials_invalid']);
    expect(await recordInRedis(redis, String(socket.ticketId))).toMatchObject({
      state: 'open',
      session_expires_at: String(expiryOf(fresh)),
    });
    expect([closes, errors]).toEqual([[], []]);
    expect(states).toEqual(['issuing', 'connecting', 'open']);
  });
});
