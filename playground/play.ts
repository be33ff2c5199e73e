import { ConnectionEnded, ConnectRefused, connect } from '../client/index.ts';
import { pause } from './dom.ts';
import { recording } from './recording.ts';
import type { Facts, Issued, Service } from './service.ts';
import type { Act } from './stage.ts';
import { refusedOf } from './told.ts';

/** How often the client asks whether what it waits for has happened. */
const POLL_MS = 700;

/** What a scenario can use: tickets, sockets, and the act that shows what happens. */
export class Play {
  readonly service: Service;
  readonly act: Act;
  readonly facts: Facts;
  #ended = false;
  readonly #sockets: WebSocket[] = [];

  constructor(service: Service, act: Act, facts: Facts) {
    this.service = service;
    this.act = act;
    this.facts = facts;
  }

  async ticket(request: object = {}): Promise<Issued> {
    this.act.step('Asking for a ticket.');
    const issued = await this.service.issue(request);
    this.act.follow(issued);
    return issued;
  }

  /** Makes one attempt of the client library with this ticket. */
  async open(ticket: Issued): Promise<WebSocket> {
    this.act.step('Connecting.');
    const socket = await connect({
      tickets: async () => ticket,
      records: '/tickets',
      ...this.service.login,
      WebSocket: recording((line) => {
        // `end()` closes the sockets that are left: that is part of no answer.
        if (!this.#ended) this.act.line(line);
      }),
    }).finally(() => this.act.refresh());
    this.#sockets.push(socket);
    return socket;
  }

  /** Resolves with the refusal of an attempt, which must not succeed. */
  async refusal(attempt: Promise<unknown>): Promise<ConnectRefused> {
    const refused = await attempt.then(() => undefined, refusedOf);
    if (refused === undefined) throw new Error('this should have been refused');
    return refused;
  }

  /** Resolves when an open connection has ended. */
  async ending(socket: WebSocket): Promise<ConnectionEnded> {
    const event = await new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
    this.act.refresh();
    return new ConnectionEnded(event.code, event.reason);
  }

  /** What the ticket's record says of an attempt that the frame has made. */
  async refusalOnRecord(ticketId: string): Promise<ConnectRefused> {
    const { last_attempt: attempt } = await this.service.record(ticketId);
    // The record's outcomes are codes of the table of refusals.
    const code = (attempt?.outcome ?? 'not_seen') as ConnectRefused['code'];
    return new ConnectRefused(code, { status: attempt?.status, ticketId });
  }

  /** Resolves once the record of a ticket is no longer in this state. */
  async left(ticketId: string, state: string): Promise<void> {
    while ((await this.service.record(ticketId)).state === state) {
      await pause(POLL_MS);
    }
  }

  /** Resolves once the store answers again. */
  async untilAnswered(): Promise<void> {
    const answers = () =>
      this.service.list().then(
        () => true,
        (error: unknown) => refusedOf(error).code !== 'store_unavailable',
      );
    while (!(await answers())) await pause(POLL_MS);
  }

  /** Closes what is still open. */
  end(): void {
    this.#ended = true;
    for (const socket of this.#sockets) socket.close(1000);
  }
}
