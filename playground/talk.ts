import { ConnectionEnded, ConnectRefused, OncegateSocket } from '../client/index.ts';
import { byId, make } from './dom.ts';
import { recording } from './recording.ts';
import type { Service } from './service.ts';
import type { Act, Stage } from './stage.ts';
import { toldOfEnd, toldOfOpening, toldOfRefusal } from './told.ts';

const STATES = {
  issuing: 'asking for a ticket',
  connecting: 'connecting',
  signing_in: 'signing in',
  waiting: 'waiting for the next attempt',
  paused: 'paused: the browser is offline',
  open: 'open',
  closing: 'closing',
  closed: 'not connected',
} as const;

/** The section Connect: a button that opens and closes a connection, a field for messages, and a log of them. */
export class Talk {
  readonly #service: Service;
  readonly #stage: Stage;
  readonly #signIn: () => Promise<void>;
  readonly #button = byId('connect', HTMLButtonElement);
  readonly #form = byId('say', HTMLFormElement);
  readonly #message = byId('message', HTMLInputElement);
  readonly #log = byId('echo', HTMLElement);
  #socket: OncegateSocket | undefined;

  /** @param signIn signs in if nobody is, and if there is something to do it with */
  constructor(service: Service, stage: Stage, signIn: () => Promise<void>) {
    this.#signIn = signIn;
    this.#service = service;
    this.#stage = stage;
    this.#log.tabIndex = 0; // so that the keyboard can scroll it
    this.#button.addEventListener('click', () => this.#toggle());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#say();
    });
  }

  /** Closes the connection. */
  close(): void {
    this.#socket?.close(1000);
  }

  async #toggle(): Promise<void> {
    await this.#signIn();
    if (this.#socket === undefined) this.#open();
    else this.close();
  }

  #open(): void {
    const act = this.#stage.begin('Connect');
    this.#log.replaceChildren();
    const socket = new OncegateSocket({
      tickets: async () => {
        const issued = await this.#service.issue();
        act.follow(issued);
        return issued;
      },
      records: '/tickets',
      ...this.#service.login,
      WebSocket: recording((line) => act.line(line)),
    });
    this.#socket = socket;
    socket.addEventListener('statechange', ({ state, reason, waitMs }) => {
      this.#show(state, waitMs);
      if (state === 'waiting' || state === 'closed') tell(act, reason, socket.ticketId);
      if (state === 'open') act.tell(toldOfOpening(socket.ticketId ?? ''));
      if (state !== 'issuing' && state !== 'connecting') act.refresh();
    });
    socket.addEventListener('message', ({ data }) => this.#write('in', String(data)));
    socket.addEventListener('close', () => {
      this.#socket = undefined;
      this.#show('closed');
    });
  }

  #show(state: keyof typeof STATES, waitMs?: number): void {
    const open = state === 'open';
    const wait = waitMs === undefined ? '' : `: ${(waitMs / 1000).toFixed(1)} s`;
    byId('talk', HTMLElement).dataset.state = state;
    byId('talk-state', HTMLElement).textContent = `${STATES[state]}${wait}`;
    this.#button.textContent = this.#socket === undefined ? 'Connect with a ticket' : 'Disconnect';
    this.#form.hidden = !open;
  }

  #say(): void {
    const text = this.#message.value;
    if (text === '' || this.#socket?.readyState !== OncegateSocket.OPEN) return;
    this.#socket.send(text);
    this.#write('out', text);
    this.#message.value = '';
  }

  #write(direction: 'in' | 'out', text: string): void {
    const line = make('p', '', make('span', 'unseen', direction === 'in' ? 'received: ' : 'sent: '), text);
    line.dataset.direction = direction;
    this.#log.append(line);
    this.#log.hidden = false;
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}

function tell(act: Act, reason: unknown, ticketId = ''): void {
  if (reason instanceof ConnectRefused) act.tell(toldOfRefusal(reason));
  // With 1000 the user has closed it, and knows why.
  else if (reason instanceof ConnectionEnded && reason.closeCode !== 1000) act.tell(toldOfEnd(reason, ticketId));
}
