import { once } from 'node:events';
import { WebSocket } from 'ws';
import { mintTicket } from '../../shared/ticket/ticket.ts';
import { certainKinds, malformedUpgrade } from '../support/hostile/malformed-upgrades.ts';
import { bearer, JWT_SECRET } from '../support/logins/bearer.ts';
import type { Fleet, IssuedTicket, ServiceProcess } from '../support/services/services.ts';
import { RawClient } from '../support/sockets/raw-client.ts';
import { type CarrierName, type UpgradeRequestOptions, upgradeRequest } from '../support/sockets/upgrade-request.ts';

export const PASSWORD = 'correct-horse-battery-staple';
const WRONG_PASSWORD = 'incorrect-horse-battery-staple';
const CARRIERS: readonly CarrierName[] = ['query', 'subprotocol', 'authorization'];

type Scheme = 'basic' | 'jwt';

/**
 * Somebody who uses a fleet in every way there is, rightly and wrongly, and knows each secret that was
 * in it. The gateways serve the audience `chat`; the user `ada` has the {@link PASSWORD}.
 */
export class BusyRun {
  /** What must not be found anywhere afterwards, by name. */
  readonly secrets = new Map<string, string>();
  readonly #fleet: Fleet;
  #count = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#keep('password', PASSWORD);
    this.#keep('wrong password', WRONG_PASSWORD);
    this.#keep('HS256 key', JWT_SECRET);
  }

  /** All of it, with Redis at work. */
  async everything(): Promise<void> {
    await this.#openAndClose();
    await this.#beRefusedATicket();
    await this.#beRefusedAConnection();
    await this.#sendNonsense();
  }

  /** What is asked while Redis is away: tickets and connections, in every way. */
  async askInVain(): Promise<void> {
    for (const scheme of ['basic', 'jwt'] as const) await this.issue('ada', scheme);
    await this.#presentEverywhere(this.#madeUpTicket());
  }

  /** A ticket, or undefined where the answer is a refusal. */
  async issue(subject: string, scheme: Scheme, wish: object = { audience: 'chat' }): Promise<IssuedTicket | undefined> {
    const credentials = scheme === 'basic' ? this.#basic(subject, PASSWORD) : this.#known(await bearer(subject));
    const answer = await this.#ask('POST', '/tickets', credentials, JSON.stringify(wish));
    if (answer.status !== 201) return undefined;
    const issued = (await answer.json()) as IssuedTicket; // what the service answers with
    this.#keepTicket(issued.ticket);
    return issued;
  }

  async #openAndClose(): Promise<void> {
    for (const gateway of this.#fleet.gateways) {
      for (const carrier of CARRIERS) {
        const issued = await this.#issued('ada', carrier === 'query' ? 'jwt' : 'basic');
        const webSocket = await openWith(gateway, issued, carrier);
        webSocket.send('a message');
        await once(webSocket, 'message');
        await this.#presentEverywhere(issued.ticket); // replays
        const credentials = this.#known(await bearer('ada'));
        await this.#ask('GET', `/tickets/${issued.id}`, credentials);
        await this.#ask('GET', '/tickets', credentials);
        await this.#ask('POST', `/tickets/${issued.id}/renew`, credentials);
        const closed = once(webSocket, 'close');
        if (carrier === 'query') await this.#ask('DELETE', `/tickets/${issued.id}`, credentials);
        else if (carrier === 'subprotocol') webSocket.close(1000, 'done');
        else webSocket.terminate();
        await closed;
      }
    }
  }

  /** Every way to get no ticket that needs no more than a request. */
  async #beRefusedATicket(): Promise<void> {
    const good = this.#basic('ada', PASSWORD);
    const forged = `${(await bearer('ada')).slice(0, -6)}AAAAAA`;
    const expired = await bearer('ada', '-1m');
    for (const wrong of [this.#basic('ada', WRONG_PASSWORD), this.#basic('nobody', WRONG_PASSWORD), forged, expired]) {
      await this.#ask('POST', '/tickets', this.#known(wrong), '{}');
      await this.#ask('GET', '/tickets', wrong);
    }
    await this.#ask('POST', '/tickets', undefined, '{}');
    await this.#ask('POST', '/tickets', 'Digest nothing', '{}');
    const { ticket } = await this.#issued('eve', 'jwt');
    for (const body of [`{"ticket": ${ticket}`, ticket, PASSWORD, `"${ticket}"`, JSON.stringify({ path: ticket })]) {
      await this.#ask('POST', '/tickets', good, body);
    }
    await this.#ask('POST', '/tickets', good, JSON.stringify({ subject: 'somebody else' }));
    await this.#ask('POST', '/tickets', good, 'x'.repeat(20_000));
    for (const path of [`/tickets/${ticket}`, `/problems/${ticket}`, `/${ticket}?ticket=${ticket}`]) {
      for (const method of ['GET', 'DELETE', 'PATCH']) await this.#ask(method, path, good);
    }
    for (let count = 0; count < 25; count += 1) await this.issue('hoarder', 'jwt');
  }

  /** Every refusal of an upgrade that a client can bring about. */
  async #beRefusedAConnection(): Promise<void> {
    const { ticket } = await this.#issued('bob', 'jwt');
    const wrongSecret = `${ticket.slice(0, -4)}AAAA`;
    for (const value of [this.#madeUpTicket(), wrongSecret, `${ticket}x`, ticket.slice(1)]) {
      this.#keepTicket(value);
      await this.#presentEverywhere(value);
    }
    await this.#present({ ticket, headers: { Origin: 'https://evil.example' } });
    await this.#present({
      ticket,
      headers: { Cookie: `ticket=${ticket}`, Authorization: [`Ticket ${ticket}`, this.#basic('ada', PASSWORD)] },
    });
    await this.#present({ headers: { Authorization: this.#basic('ada', PASSWORD) } });
    await this.#present({ target: `/${ticket}` });
    await this.#present({ ticket: (await this.#issued('bob', 'jwt', { audience: 'mail' })).ticket });
    await this.#present({ ticket: (await this.#issued('bob', 'jwt', { audience: 'chat', path: '/a' })).ticket });
    const revoked = await this.#issued('bob', 'jwt');
    await this.#ask('DELETE', `/tickets/${revoked.id}`, this.#known(await bearer('bob')));
    await this.#present({ ticket: revoked.ticket });
    for (let count = 0; count < 6; count += 1)
      await this.#present({ ticket: (await this.#issued('crowd', 'jwt')).ticket });
  }

  /** Good tickets in broken requests, and secrets where nobody looks for them. */
  async #sendNonsense(): Promise<void> {
    const { ticket } = await this.#issued('carol', 'jwt');
    for (const [index, kind] of certainKinds.entries()) {
      for (const { port } of this.#fleet.gateways) {
        const { packets, bodiless } = malformedUpgrade(index, { kind, ticket });
        const client = await RawClient.connect(port, { bodiless });
        client.socket.end(Buffer.concat(packets));
        await client.outcome;
        await client.destroy();
      }
    }
    for (const { adminPort } of [this.#fleet.ticket, ...this.#fleet.gateways]) {
      const headers = { Authorization: this.#basic('ada', PASSWORD) };
      for (const path of ['livez', 'readyz', 'metrics', ticket]) {
        await fetch(`http://127.0.0.1:${adminPort}/${path}?ticket=${ticket}`, { headers });
      }
    }
  }

  /** On every gateway, in every carrier. */
  async #presentEverywhere(ticket: string): Promise<void> {
    for (const carrier of CARRIERS) await this.#present({ ticket, carrier });
  }

  async #present(options: UpgradeRequestOptions): Promise<void> {
    for (const { port } of this.#fleet.gateways) {
      const client = await RawClient.send(port, upgradeRequest(options));
      await client.outcome;
      this.#count += 1;
      if (this.#count % 2 === 0) await client.destroy(); // half of what did open stays open
    }
  }

  async #issued(subject: string, scheme: Scheme, wish?: object): Promise<IssuedTicket> {
    const issued = await this.issue(subject, scheme, wish);
    if (issued === undefined) throw new Error(`no ticket for ${subject}`);
    return issued;
  }

  async #ask(method: string, path: string, authorization?: string, body?: string): Promise<Response> {
    const headers = {
      'Content-Type': 'application/json',
      ...(authorization !== undefined && { Authorization: authorization }),
    };
    const answer = await fetch(`http://127.0.0.1:${this.#fleet.ticket.port}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
    });
    return new Response(await answer.text(), { status: answer.status === 204 ? 200 : answer.status });
  }

  #madeUpTicket(): string {
    const { id, secret } = mintTicket('nobody');
    this.#keepTicket(`ogt_${id}.${secret}`);
    return `ogt_${id}.${secret}`;
  }

  #basic(name: string, password: string): string {
    return this.#known(`Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`);
  }

  /** Credentials that go into an Authorization header. */
  #known(authorization: string): string {
    this.#keep('credentials', authorization.slice(authorization.indexOf(' ') + 1));
    return authorization;
  }

  #keepTicket(value: string): void {
    this.#keep('ticket', value);
    this.#keep('ticket secret', value.slice(value.indexOf('.') + 1));
  }

  #keep(name: string, secret: string): void {
    this.secrets.set(`${name} ${secret}`, secret);
  }
}

async function openWith(gateway: ServiceProcess, issued: IssuedTicket, carrier: CarrierName): Promise<WebSocket> {
  const query = carrier === 'query' ? `?ticket=${issued.ticket}` : '';
  const webSocket = new WebSocket(
    `ws://127.0.0.1:${gateway.port}/${query}`,
    carrier === 'subprotocol' ? [...issued.protocols] : [],
    carrier === 'authorization' ? { headers: { Authorization: `Ticket ${issued.ticket}` } } : {},
  );
  await once(webSocket, 'message'); // the greeting
  return webSocket;
}
