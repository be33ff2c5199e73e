import type { IncomingMessage } from 'node:http';
import { utf8Json } from '../../../shared/utf8.ts';
import { COUNTERPART_LIMITS, FairQueue } from '../limits/fair-queue.ts';
import { AnswerCache } from './answer-cache.ts';
import { type Authentication, type Authenticator, isAmbient, isFailure, OVERLOADED } from './authenticator.ts';
import { counterpartFetch } from './counterpart-fetch.ts';
import { authenticated, endOf, type IdentityRules, member } from './identity.ts';
import { reasonOf } from './reason.ts';

export interface ForwardOptions extends IdentityRules {
  /** An endpoint of the application that says who the caller is. */
  readonly url: string;
  readonly timeoutMs: number;
  /** How long a 200 is cached; 0 caches none. */
  readonly cacheSeconds: number;
}

const MAX_CHALLENGE_LENGTH = 1_024;

/**
 * Asks an endpoint of the application who the caller is. It gets the caller's Cookie and Authorization and
 * nothing else. 200 with JSON identifies the caller, and 401 is passed on with its challenge. Anything else
 * means unavailable, a redirect to a login page too.
 */
export function createForwardAuthenticator(options: ForwardOptions): Authenticator {
  const cache = new AnswerCache(options.cacheSeconds);
  const queue = new FairQueue(COUNTERPART_LIMITS);

  async function ask(cookie: string | undefined, authorization: string | undefined): Promise<Authentication> {
    try {
      const response = await counterpartFetch(options.url, {
        headers: {
          Accept: 'application/json',
          ...(cookie !== undefined && { Cookie: cookie }),
          ...(authorization !== undefined && { Authorization: authorization }),
        },
        redirect: 'manual',
        signal: AbortSignal.timeout(options.timeoutMs),
      });
      if (response.status === 401) {
        const challenge = response.headers.get('www-authenticate') ?? '';
        const challenges = isChallenge(challenge) ? [challenge] : [];
        return { kind: 'invalid', reason: 'the application answered 401', challenges };
      }
      if (response.status !== 200) return unavailable(`it answered ${response.status}`);
      return judge(utf8Json(new Uint8Array(await response.arrayBuffer())), isAmbient(authorization));
    } catch (error) {
      return unavailable(reasonOf(error));
    }
  }

  /** Decides by the application's 200. An answer without a subject is the application's fault, not the caller's. */
  function judge(identity: unknown, ambient: boolean): Authentication {
    if (identity === undefined) return unavailable('its answer is not JSON in UTF-8');
    const end = endOf(member(identity, 'exp'), 1_000);
    if (!end.ok) return unavailable('exp in its answer is not a number');
    if (end.at !== undefined && end.at <= Date.now()) return { kind: 'invalid', reason: 'the login has ended (exp)' };
    const found = authenticated(identity, options, end.at);
    if (found.kind !== 'principal') return unavailable(`in its answer ${found.reason}`);
    return ambient ? { kind: 'principal', principal: { ...found.principal, ambient } } : found;
  }

  return {
    challenge: () => 'Application realm="oncegate"',
    async authenticate(request: IncomingMessage, from) {
      const { cookie, authorization } = request.headers;
      if (cookie === undefined && authorization === undefined) return { kind: 'none' };
      const inTurn = () => queue.run(from, () => ask(cookie, authorization), isFailure);
      return cache.answer(JSON.stringify([cookie, authorization]), async () => (await inTurn()) ?? OVERLOADED);
    },
  };
}

function unavailable(reason: string): Authentication {
  return { kind: 'unavailable', code: 'authentication_unavailable', reason: `AUTH_FORWARD_URL: ${reason}` };
}

/** Whether a challenge of the application is well-formed, so that it may be passed on. */
function isChallenge(value: string): boolean {
  return value.length <= MAX_CHALLENGE_LENGTH && /^[A-Za-z][!-~]*( [ -~]*)?$/.test(value);
}
