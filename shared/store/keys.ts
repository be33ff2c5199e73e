import { splitTicketId } from '../ticket.ts';

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

/** The key names under a prefix (`REDIS_KEY_PREFIX`). */
export function createKeys(prefix: string): Keys {
  function fill(name: keyof typeof names, values: Readonly<Record<string, string>>): string {
    return prefix + names[name].name.replace(/<([^>]+)>/g, (_, part: string) => values[part] ?? '');
  }
  return {
    ticket: (id) => fill('ticket', splitTicketId(id)),
    connections: (id) => fill('connections', splitTicketId(id)),
    pending: (id) => fill('pending', splitTicketId(id)),
    gateway: (gatewayId) => fill('gateway', { 'gateway id': gatewayId }),
    control: (gatewayId) => fill('control', { 'gateway id': gatewayId }),
    rate: (kind, digest) => fill('rate', { kind, digest }),
  };
}
