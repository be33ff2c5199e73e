import { tryElsewhere } from './other-origin.ts';
import type { Play } from './play.ts';
import { recording } from './recording.ts';
import { basic, loginBy } from './service.ts';
import { type Told, toldOfEnd, toldOfRefusal } from './told.ts';

/** Something that goes wrong, and the texts of its button. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly hint: string;
  /** What the service must be able to simulate, and what to do by hand if it cannot. */
  readonly simulation?: { readonly name: string; readonly byHand: string };
  readonly run: (play: Play) => Promise<Told>;
  /** Resolves when the next scenario may begin. */
  readonly settle?: (play: Play) => Promise<void>;
}

const SESSION_SECONDS = 3;
const STOPPED_SECONDS = 5;

export const scenarios: readonly Scenario[] = [
  {
    id: 'twice',
    title: 'Use one ticket twice',
    hint: 'two sockets, the same ticket',
    async run(play) {
      const ticket = await play.ticket();
      await play.open(ticket);
      return toldOfRefusal(await play.refusal(play.open(ticket)));
    },
  },
  {
    id: 'expire',
    title: 'Let a ticket expire',
    hint: 'good for one second, presented later',
    async run(play) {
      const ticket = await play.ticket({ ttl_seconds: 1 });
      play.act.step('Waiting until the ticket has expired.');
      await play.left(ticket.id, 'issued');
      return toldOfRefusal(await play.refusal(play.open(ticket)));
    },
  },
  {
    id: 'password',
    title: 'Wrong password',
    hint: 'no ticket is issued',
    async run(play) {
      const { service, act, facts } = play;
      act.step('Connecting without a ticket, and asking for one with a made-up name and password.');
      const Recorded = recording((line) => act.line(line));
      const socket = new Recorded(facts.gateway_url, ['oncegate.v1']);
      await new Promise((resolve) => socket.addEventListener('close', resolve));
      // Another name each time: wrong passwords for the user's own name would soon be `rate_limited`.
      const madeUp = basic(`nobody-${Math.random()}`, 'not the password');
      return toldOfRefusal(await play.refusal(service.issue({}, loginBy(madeUp))));
    },
  },
  {
    id: 'origin',
    title: 'Wrong origin',
    hint: 'a sandboxed frame presents the ticket',
    async run(play) {
      const { id, url, protocols } = await play.ticket();
      play.act.step('A frame of another origin is connecting.');
      await tryElsewhere({ url: `${url}/~${id}/`, protocols }, (line) => play.act.line(line));
      play.act.refresh();
      return toldOfRefusal(await play.refusalOnRecord(id));
    },
  },
  {
    id: 'limit',
    title: 'One connection too many',
    hint: 'one is allowed, the page opens two',
    simulation: {
      name: 'limit',
      byHand: 'Start the gateways with MAX_CONNECTIONS_PER_SUBJECT=1. Then connect on this page in two windows.',
    },
    async run(play) {
      await play.service.limitConnections(1);
      try {
        // If this user has another open connection, the first attempt is one too many already.
        const attempt = async () => play.open(await play.ticket());
        return toldOfRefusal(await play.refusal(attempt().then(attempt)));
      } finally {
        await play.service.limitConnections(0);
      }
    },
  },
  {
    id: 'kick',
    title: 'Revoke an open connection',
    hint: 'by the id of its ticket',
    async run(play) {
      const ticket = await play.ticket();
      const ending = play.ending(await play.open(ticket));
      play.act.step('Revoking the ticket of an open connection.');
      await play.service.revoke(ticket.id);
      return toldOfEnd(await ending, ticket.id);
    },
  },
  {
    id: 'session',
    title: 'Let the session end',
    hint: `${SESSION_SECONDS} seconds after the connection opens`,
    async run(play) {
      const ticket = await play.ticket();
      const ending = play.ending(await play.open(ticket));
      await play.service.endSessionIn(ticket.id, SESSION_SECONDS);
      play.act.refresh();
      play.act.step(`The session ends in ${SESSION_SECONDS} seconds.`);
      return toldOfEnd(await ending, ticket.id);
    },
  },
  {
    id: 'store',
    title: 'Stop the store',
    hint: `no answer for ${STOPPED_SECONDS} seconds`,
    simulation: {
      name: 'store',
      byHand: 'Get a ticket, stop Redis, and connect with the ticket. Start Redis again: no service needs a restart.',
    },
    async run(play) {
      const ticket = await play.ticket();
      await play.service.stopStore(STOPPED_SECONDS);
      play.act.step(`The store does not answer for ${STOPPED_SECONDS} seconds. Connecting.`);
      return toldOfRefusal(await play.refusal(play.open(ticket)));
    },
    settle: (play) => play.untilAnswered(),
  },
];
