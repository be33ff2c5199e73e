import { splitTicketId } from '../ticket/ticket.ts';

/**
 * Every Redis key and channel name, made here and nowhere else. The digest of the subject is the
 * Cluster hash tag (`{...}`): all that concerns one subject lives in one slot.
 */
const names = {
  ticket: {
    type: 'hash',
    name: 'ticket:{<digest>}<random>',
    what: 'the record of one ticket',
    lives: 'until it can no longer change, plus TICKET_RETENTION_SECONDS',
  },
  connections: {
    type: 'sorted set',
    name: 'connections:{<digest>}',
    what: "ids of the subject's open connections, scored by lease deadline (Unix ms)",
    lives: 'the longest lease',
  },
  pending: {
    type: 'sorted set',
    name: 'pending:{<digest>}',
    what: "ids of the subject's unspent tickets, scored by expiry (Unix ms)",
    lives: 'the longest expiry',
  },
  gateway: {
    type: 'hash',
    name: 'gateway:<gateway id>',
    what: 'one gateway: started, version, connections, draining',
    lives: '30 s, refreshed every 10 s',
  },
  control: {
    type: 'channel',
    name: 'control:<gateway id>',
    what: 'commands to one gateway, as JSON',
    lives: 'a message is not kept',
  },
  rate: {
    type: 'string',
    name: 'rate:<kind>:<digest>',
    what: 'how often something happened: requests or failed sign-ins of an address, a name or a subject (of which the key holds only a digest)',
    lives: 'its window, a minute',
  },
} as const;

/**
 * The table of names, for the generated documentation.
 *
 * @public
 */
export const keyNames: Readonly<
  Record<keyof typeof names, { type: string; name: string; what: string; lives: string }>
> = names;

export interface Keys {
  ticket(id: string): string;
  /** The set of the open connections of a subject, by any ticket id of it or the digest alone. */
  connections(id: string): string;
  /** The set of the unspent tickets of a subject, by any ticket id of it or the digest alone. */
  pending(id: string): string;
  gateway(gatewayId: string): string;
  control(gatewayId: string): string;
  rate(kind: string, digest: string): string;
}

/**
 * The key names under a prefix (`REDIS_KEY_PREFIX`). They are taken apart once: filling them in by a regular
 * expression each time takes 4 % of the CPU of an admitted handshake.
 */
export function createKeys(prefix: string): Keys {
  function named(name: keyof typeof names): (values: Readonly<Record<string, string>>) => string {
    // Text stands at the even places, names of values at the odd ones.
    const parts = names[name].name.split(/<([^>]+)>/);
    return (values) => parts.reduce((key, part, at) => key + (at % 2 === 0 ? part : (values[part] ?? '')), prefix);
  }
  const [ticket, connections, pending] = [named('ticket'), named('connections'), named('pending')];
  const [gateway, control] = [named('gateway'), named('control')];
  const rate = named('rate');
  return {
    ticket: (id) => ticket(splitTicketId(id)),
    connections: (id) => connections(splitTicketId(id)),
    pending: (id) => pending(splitTicketId(id)),
    gateway: (gatewayId) => gateway({ 'gateway id': gatewayId }),
    control: (gatewayId) => control({ 'gateway id': gatewayId }),
    rate: (kind, digest) => rate({ kind, digest }),
  };
}
