import type { StoredHash } from './record-hash.ts';

/** A record, and until when it is kept (Unix ms). */
export interface KeptRecord {
  readonly hash: StoredHash;
  keepUntil: number;
}

/** The two sets of one subject: ticket ids, each with a moment (Unix ms). */
interface SubjectSets {
  /** Unspent tickets by expiry. */
  readonly pending: Map<string, number>;
  /** Open connections by lease deadline. */
  readonly connections: Map<string, number>;
}

/** What a Redis store keeps in keys: the records, and the sets of each subject. */
export class MemoryRecords {
  readonly #records = new Map<string, KeptRecord>();
  readonly #subjects = new Map<string, SubjectSets>();

  /** The record of a ticket, if it is still kept. */
  find(id: string, now: number): KeptRecord | undefined {
    const record = this.#records.get(id);
    if (record === undefined || now < record.keepUntil) return record;
    this.#records.delete(id);
    return undefined;
  }

  put(id: string, record: KeptRecord): void {
    this.#records.set(id, record);
  }

  setsOf(subject: string): SubjectSets {
    let sets = this.#subjects.get(subject);
    if (sets === undefined) {
      sets = { pending: new Map(), connections: new Map() };
      this.#subjects.set(subject, sets);
    }
    return sets;
  }

  /** Deletes everything whose time is over. */
  sweep(now: number): void {
    for (const id of this.#records.keys()) this.find(id, now);
    for (const [subject, { pending, connections }] of this.#subjects) {
      dropUntil(pending, now);
      dropUntil(connections, now);
      if (pending.size + connections.size === 0) this.#subjects.delete(subject);
    }
  }
}

/** Deletes the members of a set whose moment has passed. */
export function dropUntil(set: Map<string, number>, now: number): void {
  for (const [id, moment] of set) if (moment <= now) set.delete(id);
}
