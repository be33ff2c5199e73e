import { createHash } from 'node:crypto';
import { remember } from '../limits/bounded-map.ts';
import type { Authentication } from './authenticator.ts';

const MAX_ANSWERS = 10_000;

/**
 * What a counterpart said of credentials that it found good, remembered for a short time and never past
 * their own expiry. Credentials are kept only as a digest; nothing else but a principal is remembered.
 */
export class AnswerCache {
  readonly #seconds: number;
  readonly #answers = new Map<string, { readonly answer: Authentication; readonly until: number }>();

  /** @param seconds for how long at the most; 0 for not at all */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** The remembered answer about these credentials, or a fresh one. */
  async answer(credentials: string, ask: () => Promise<Authentication>): Promise<Authentication> {
    const key = createHash('sha256').update(credentials).digest('base64');
    const now = Date.now();
    const remembered = this.#answers.get(key);
    if (remembered !== undefined && now < remembered.until) return remembered.answer;
    this.#answers.delete(key);

    const answer = await ask();
    if (answer.kind === 'principal' && this.#seconds > 0) {
      const until = Math.min(now + this.#seconds * 1000, answer.principal.expiresAt ?? Number.POSITIVE_INFINITY);
      remember(this.#answers, key, { answer, until }, MAX_ANSWERS);
    }
    return answer;
  }
}
