import { hash } from 'node:crypto';
import { splitTicketId, TICKET_ID } from '../ticket/ticket.ts';

/**
 * The names of all Redis keys and channels; no other file makes one. The digest of the subject is the Cluster
 * hash tag (`{...}`), so all keys of one subject are in one hash slot.
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
    what: 'open connections, scored by lease deadline (Unix ms)',
    lives: 'the longest lease',
  },
  pending: {
    type: 'sorted set',
    name: 'pending:{<digest>}',
    what: 'unspent tickets, scored by expiry (Unix ms)',
    lives: 'the longest expiry, plus TICKET_RETENTION_SECONDS',
  },
  history: {
    type: 'sorted set',
    name: 'history:{<digest>}',
    what: 'tickets that have ended, scored by when their records are deleted (Unix ms)',
    lives: 'the longest of its records',
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
    name: 'rate:<kind>:<SHA-256>',
    what: 'a count of requests or failed sign-ins of an address, a name or a subject, of which the key holds only the SHA-256, base64url',
    lives: 'its window, a minute',
  },
} as const;

/**
 * The names, for the generated documentation.
 *
 * @public
 */
export const keyNames: Readonly<
  Record<keyof typeof names, { type: string; name: string; what: string; lives: string }>
> = names;

export interface Keys {
  ticket(id: string): string;
  /** The set with a subject's open connections. @param id any ticket id of the subject, or its digest */
  connections(id: string): string;
  /** The set with a subject's unspent tickets. @param id any ticket id of the subject, or its digest */
  pending(id: string): string;
  /** The set with a subject's tickets that have ended. @param id any ticket id of the subject, or its digest */
  history(id: string): string;
  gateway(gatewayId: string): string;
  control(gatewayId: string): string;
  /** @param counted an address, a name or a subject: the key holds its whole digest, so no two share a count */
  rate(kind: string, counted: string): string;
}

/** What the member of a set tells: a ticket, when it was issued (Unix ms), and to whom. */
export interface SetMember {
  readonly id: string;
  readonly issuedAt: number;
  readonly subject: string;
}

const MEMBER = new RegExp(`^(${TICKET_ID}):(\\d{1,16}):(.+)$`, 's');

/** A member is `<ticket id>:<issued_at>:<subject>`: two subjects with the same digest share the keys of their sets. */
export function parseMember(member: string): SetMember | null {
  const [, id, issuedAt, subject] = MEMBER.exec(member) ?? [];
  return id === undefined || subject === undefined ? null : { id, issuedAt: Number(issuedAt), subject };
}

/** The key names under a prefix (`REDIS_KEY_PREFIX`). */
export function createKeys(prefix: string): Keys {
  function named(name: keyof typeof names): (values: Readonly<Record<string, string>>) => string {
    // Split once, not at each call. measured: 4 % of the CPU of an admitted handshake.
    // Literal text has even indexes, the name of a value odd ones.
    const parts = names[name].name.split(/<([^>]+)>/);
    return (values) => parts.reduce((key, part, at) => key + (at % 2 === 0 ? part : (values[part] ?? '')), prefix);
  }
  const [ticket, connections, pending] = [named('ticket'), named('connections'), named('pending')];
  const history = named('history');
  const [gateway, control] = [named('gateway'), named('control')];
  const rate = named('rate');
  return {
    ticket: (id) => ticket(splitTicketId(id)),
    connections: (id) => connections(splitTicketId(id)),
    pending: (id) => pending(splitTicketId(id)),
    history: (id) => history(splitTicketId(id)),
    gateway: (gatewayId) => gateway({ 'gateway id': gatewayId }),
    control: (gatewayId) => control({ 'gateway id': gatewayId }),
    rate: (kind, counted) => rate({ kind, 'SHA-256': hash('sha256', counted, 'base64url') }),
  };
}
