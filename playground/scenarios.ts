import { tryElsewhere } from './other-origin.ts';
import type { Play } from './play.ts';
import { recording } from './recording.ts';
import { basic, loginBy } from './service.ts';
import { type Told, toldOfEnd, toldOfRefusal } from './told.ts';

/** Something that goes wrong, and the button that makes it. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly hint: string;
  /** What the service has to be able to simulate, and what to do by hand where it cannot. */
  readonly simulation?: { readonly name: string; readonly byHand: string };
  readonly run: (play: Play) => Promise<Told>;
  /** What has to be over before anything else is tried. */
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
    title: 'Let it expire',
    hint: 'good for one second, used too late',
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
    hint: 'there is no ticket to be had',
    async run(play) {
      const { service, act, facts } = play;
      act.step('Asking for a ticket with a made-up name and password, and connecting without one.');
      const Recorded = recording((line) => act.line(line));
      const socket = new Recorded(facts.gateway_url, ['oncegate.v1']);
      await new Promise((resolve) => socket.addEventListener('close', resolve));
      // Another name each time: wrong passwords for the user's own would lock the user out, and soon be `rate_limited`.
      const madeUp = basic(`nobody-${Math.random()}`, 'not the password');
      return toldOfRefusal(await play.refusal(service.issue({}, loginBy(madeUp))));
    },
  },
  {
    id: 'origin',
    title: 'Wrong origin',
    hint: 'a sandboxed frame tries it',
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
    hint: 'one allowed, two asked for',
    simulation: {
      name: 'limit',
      byHand: 'Start the gateways with MAX_CONNECTIONS_PER_SUBJECT=1. Then connect on this page in two windows.',
    },
    async run(play) {
      await play.service.limitConnections(1);
      try {
        // Where another connection of this user is open already, the first attempt is the one too many.
        const attempt = async () => play.open(await play.ticket());
        return toldOfRefusal(await play.refusal(attempt().then(attempt)));
      } finally {
        await play.service.limitConnections(0);
      }
    },
  },
  {
    id: 'kick',
    title: 'Kick yourself',
    hint: 'revoke the ticket of an open socket',
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
    title: 'Let the session run out',
    hint: `${SESSION_SECONDS} seconds are left`,
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
      byHand: 'Take a ticket, stop Redis, and connect with it. Start Redis again: nothing has to be restarted.',
    },
    async run(play) {
      const ticket = await play.ticket();
      await play.service.stopStore(STOPPED_SECONDS);
      play.act.step(`The store answers nothing for ${STOPPED_SECONDS} seconds. Connecting.`);
      return toldOfRefusal(await play.refusal(play.open(ticket)));
    },
    settle: (play) => play.untilAnswered(),
  },
];
