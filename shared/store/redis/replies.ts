import { storeCloseReasons } from '../../close-codes.ts';
import { isRefusalCode } from '../../refusals.ts';
import { parseMember } from '../keys.ts';
import type { RecordHash } from '../record.ts';
import type { ScriptName } from '../scripts.ts';
import type {
  CloseOutcome,
  ConsumeOutcome,
  CountOutcome,
  IssueOutcome,
  LeaseOutcome,
  NoteOutcome,
  RefuseOutcome,
  RenewOutcome,
  RevokeOutcome,
} from '../store.ts';

/** A reply as ioredis hands it over. */
export type Reply = string | number | null | Reply[];

/** A script returned something that its header does not list. The message does not repeat it, as it may hold claims. */
export class UnknownReply extends Error {
  override readonly name = 'UnknownReply';

  constructor(script: ScriptName) {
    super(`${script}.lua returned a reply that its header does not list`);
  }
}

/** Parses a reply element by element. Anything unexpected throws {@link UnknownReply}. */
class Elements {
  readonly #script: ScriptName;
  readonly #elements: readonly Reply[];
  #at = 0;

  constructor(script: ScriptName, reply: Reply) {
    this.#script = script;
    this.#elements = Array.isArray(reply) ? reply : this.unknown();
  }

  unknown(): never {
    throw new UnknownReply(this.#script);
  }

  /** A string that may be empty. */
  string(): string {
    const element = this.#elements[this.#at++];
    return typeof element === 'string' ? element : this.unknown();
  }

  text(): string {
    return this.string() || this.unknown();
  }

  /** A whole number that is not negative. */
  number(): number {
    const element = this.#elements[this.#at++];
    return typeof element === 'number' && Number.isSafeInteger(element) && element >= 0 ? element : this.unknown();
  }

  list(): Elements {
    return new Elements(this.#script, this.#elements[this.#at++] ?? null);
  }

  /** All that is left: names, each with its value. */
  pairs(): Record<string, string> {
    const pairs: Record<string, string> = {};
    while (this.left > 0) pairs[this.text()] = this.string();
    return pairs;
  }

  get left(): number {
    return this.#elements.length - this.#at;
  }

  /** @returns the outcome, if no element is left */
  whole<T>(outcome: T): T {
    return this.left === 0 ? outcome : this.unknown();
  }
}

/** Parses a reply that is one of these codes and nothing else. */
function bareCode<Code extends string>(script: ScriptName, reply: Reply, codes: readonly Code[]): { code: Code } {
  const elements = new Elements(script, reply);
  const text = elements.text();
  const code = codes.find((candidate) => candidate === text) ?? elements.unknown();
  return elements.whole({ code });
}

/** A member of the history. */
export interface EndedTicket {
  readonly id: string;
  readonly member: string;
}

function endedTicket(elements: Elements): EndedTicket {
  const member = elements.text();
  return { id: parseMember(member)?.id ?? elements.unknown(), member };
}

/** @returns the outcome, and the tickets to forget */
export function issueOutcome(reply: Reply): { outcome: IssueOutcome; oldest: EndedTicket[] } {
  const elements = new Elements('issue', reply);
  const code = elements.text();
  switch (code) {
    case 'issued': {
      const [issuedAt, expiresAt, sessionExpiresAt] = [elements.number(), elements.number(), elements.number()];
      const list = elements.list();
      const oldest: EndedTicket[] = [];
      while (list.left > 0) oldest.push(endedTicket(list));
      return elements.whole({ outcome: { code, issuedAt, expiresAt, sessionExpiresAt }, oldest });
    }
    case 'pending_limit':
      return elements.whole({ outcome: { code, retryAfterMs: elements.number() }, oldest: [] });
    case 'id_taken':
      return elements.whole({ outcome: { code }, oldest: [] });
    default:
      return elements.unknown();
  }
}

/** @returns the outcome, or the ids of the open connections whose records the script needs first */
export function consumeOutcome(reply: Reply): ConsumeOutcome | { code: 'replace'; ids: string[] } {
  const elements = new Elements('consume', reply);
  const code = elements.text();
  switch (code) {
    case 'admitted': {
      const subject = elements.text();
      const [audience, claims, clientClaims] = [elements.string(), elements.string(), elements.string()];
      const [openedAt, sessionExpiresAt] = [elements.number(), elements.number()];
      const pairs = elements.list();
      const replaced: Array<{ id: string; gatewayId: string }> = [];
      // If the record of a connection is lost, its gateway is an empty string.
      while (pairs.left > 0) replaced.push({ id: pairs.text(), gatewayId: pairs.string() });
      return elements.whole({
        code,
        subject,
        ...(audience !== '' && { audience }),
        ...(claims !== '' && { claims }),
        ...(clientClaims !== '' && { clientClaims }),
        openedAt,
        sessionExpiresAt,
        replaced,
      });
    }
    case 'replace': {
      const list = elements.list();
      const ids: string[] = [list.text()];
      while (list.left > 0) ids.push(list.text());
      return elements.whole({ code, ids });
    }
    case 'ticket_unknown':
      return elements.whole({ code });
    default:
      return isRefusalCode(code) ? elements.whole({ code, subject: elements.text() }) : elements.unknown();
  }
}

export function noteOutcome(reply: Reply): NoteOutcome {
  const elements = new Elements('note', reply);
  const code = elements.text();
  if (code === 'noted') return elements.whole({ code, subject: elements.text() });
  return code === 'ticket_unknown' ? elements.whole({ code }) : elements.unknown();
}

export function refuseOutcome(reply: Reply): RefuseOutcome {
  return bareCode('refuse', reply, ['refused', 'not_held']);
}

export function closeOutcome(reply: Reply): CloseOutcome {
  return bareCode('close', reply, ['closed', 'already_closed', 'not_held']);
}

export function revokeOutcome(reply: Reply): RevokeOutcome {
  const elements = new Elements('revoke', reply);
  if (elements.text() !== 'closing') return bareCode('revoke', reply, ['revoked', 'ended', 'unknown']);
  return elements.whole({ code: 'closing', gatewayId: elements.text() });
}

export function renewOutcome(reply: Reply): RenewOutcome {
  const elements = new Elements('renew', reply);
  if (elements.text() !== 'renewed') return bareCode('renew', reply, ['not_open', 'unknown']);
  return elements.whole({ code: 'renewed', sessionExpiresAt: elements.number(), gatewayId: elements.text() });
}

export function leaseOutcome(reply: Reply): LeaseOutcome {
  const elements = new Elements('lease', reply);
  const code = elements.text();
  switch (code) {
    case 'held':
      return elements.whole({ code, sessionExpiresAt: elements.number() });
    case 'restored':
      return elements.whole({ code });
    case 'ended': {
      const text = elements.text();
      const reason = storeCloseReasons.find((known) => known === text) ?? elements.unknown();
      return elements.whole({ code, reason });
    }
    default:
      return elements.unknown();
  }
}

/** @returns the stored fields, with the time and the deadline of the lease; null if no record is kept */
export function storedRecord(reply: Reply): { now: number; leaseDeadline: number; hash: RecordHash } | null {
  const elements = new Elements('read', reply);
  const [now, leaseDeadline] = [elements.number(), elements.number()];
  if (elements.left === 0) return null;
  return { now, leaseDeadline, hash: elements.pairs() };
}

/** A record of a page: its stored fields, none if it is not kept, and the deadline of its lease. */
export interface Listed {
  readonly leaseDeadline: number;
  readonly hash: RecordHash;
}

/** @returns the time, and as many records as were asked for */
export function listedRecords(reply: Reply, count: number): { now: number; listed: Listed[] } {
  const elements = new Elements('list', reply);
  const now = elements.number();
  const listed = Array.from({ length: count }, () => {
    const record = elements.list();
    return { leaseDeadline: record.number(), hash: record.pairs() };
  });
  return elements.whole({ now, listed });
}

export function countOutcome(reply: Reply): CountOutcome {
  const elements = new Elements('count', reply);
  return elements.whole({ count: elements.number(), resetMs: elements.number() });
}
