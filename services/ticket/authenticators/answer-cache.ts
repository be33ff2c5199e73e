import { createHash } from 'node:crypto';
import { setBounded } from '../limits/bounded-map.ts';
import type { Authentication } from './authenticator.ts';

const MAX_ANSWERS = 10_000;

/**
 * Caches a counterpart's answer about good credentials, for a short time and never past their expiry.
 * Only principals are cached. Credentials are kept as a digest only.
 */
export class AnswerCache {
  readonly #seconds: number;
  readonly #answers = new Map<string, { readonly answer: Authentication; readonly until: number }>();

  /** @param seconds the longest time an answer is cached; 0 caches none */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** The cached answer about these credentials, or a fresh one. */
  async answer(credentials: string, ask: () => Promise<Authentication>): Promise<Authentication> {
    const key = createHash('sha256').update(credentials).digest('base64');
    const now = Date.now();
    const cached = this.#answers.get(key);
    if (cached !== undefined && now < cached.until) return cached.answer;
    this.#answers.delete(key);

    const answer = await ask();
    if (answer.kind === 'principal' && this.#seconds > 0) {
      const until = Math.min(now + this.#seconds * 1000, answer.principal.expiresAt ?? Number.POSITIVE_INFINITY);
      setBounded(this.#answers, key, { answer, until }, MAX_ANSWERS);
    }
    return answer;
  }
}
