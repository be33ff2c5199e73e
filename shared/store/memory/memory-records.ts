import type { StoredHash } from './record-hash.ts';

/** A record, and until when it is kept (Unix ms). */
export interface KeptRecord {
  readonly hash: StoredHash;
  keepUntil: number;
}

/** The sets of one subject: ticket ids, each with a moment (Unix ms). */
interface SubjectSets {
  /** Unspent tickets by expiry. */
  readonly pending: Map<string, number>;
  /** Open connections by lease deadline. */
  readonly connections: Map<string, number>;
  /** Tickets that have ended, by when their records are deleted. */
  readonly history: Map<string, number>;
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
      sets = { pending: new Map(), connections: new Map(), history: new Map() };
      this.#subjects.set(subject, sets);
    }
    return sets;
  }

  /** Puts a ticket that has ended into the history. Its record is kept until a moment (Unix ms). */
  end(id: string, kept: KeptRecord, moment: number): void {
    const { pending, connections, history } = this.setsOf(kept.hash.subject);
    pending.delete(id);
    connections.delete(id);
    history.set(id, moment);
    kept.keepUntil = moment;
  }

  /** Puts what expired unspent into the history. */
  expire({ pending, history }: SubjectSets, now: number): void {
    for (const [id, moment] of pending) {
      if (moment > now) continue;
      pending.delete(id);
      const kept = this.find(id, now);
      if (kept !== undefined) history.set(id, kept.keepUntil);
    }
  }

  /** Deletes the oldest records of a subject's ended tickets, until so many are left. */
  forget({ history }: SubjectSets, most: number, now: number): void {
    dropUntil(history, now);
    if (history.size <= most) return;
    const oldestFirst = [...history].sort(([a, momentA], [b, momentB]) => momentA - momentB || (a < b ? -1 : 1));
    for (const [id] of oldestFirst.slice(0, history.size - most)) {
      history.delete(id);
      this.#records.delete(id);
    }
  }

  /** Deletes everything whose time is over. */
  sweep(now: number): void {
    for (const id of this.#records.keys()) this.find(id, now);
    for (const [subject, sets] of this.#subjects) {
      this.expire(sets, now);
      dropUntil(sets.connections, now);
      dropUntil(sets.history, now);
      if (sets.pending.size + sets.connections.size + sets.history.size === 0) this.#subjects.delete(subject);
    }
  }
}

/** Deletes the members of a set whose moment has passed. */
export function dropUntil(set: Map<string, number>, now: number): void {
  for (const [id, moment] of set) if (moment <= now) set.delete(id);
}
