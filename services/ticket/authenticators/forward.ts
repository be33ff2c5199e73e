import type { IncomingMessage } from 'node:http';
import { AnswerCache } from './answer-cache.ts';
import { type Authentication, type Authenticator, isAmbient } from './authenticator.ts';
import { type IdentityRules, principalOf } from './identity.ts';

export interface ForwardOptions extends IdentityRules {
  /** An endpoint of the application that says who the caller is. */
  readonly url: string;
  readonly timeoutMs: number;
  /** How long a 200 is cached; 0 caches none. */
  readonly cacheSeconds: number;
}

const MAX_ANSWER_BYTES = 65_536;
const MAX_CHALLENGE_LENGTH = 1_024;
const UNAVAILABLE: Authentication = { kind: 'unavailable', code: 'authentication_unavailable' };

/**
 * Asks an endpoint of the application who the caller is. It gets the caller's Cookie and Authorization and
 * nothing else. 200 with JSON identifies the caller, and 401 is passed on with its challenge. Anything else
 * means unavailable, a redirect to a login page too.
 */
export function createForwardAuthenticator(options: ForwardOptions): Authenticator {
  const cache = new AnswerCache(options.cacheSeconds);

  async function ask(cookie: string | undefined, authorization: string | undefined): Promise<Authentication> {
    try {
      const response = await fetch(options.url, {
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
        await response.body?.cancel();
        return { kind: 'invalid', ...(isChallenge(challenge) && { challenges: [challenge] }) };
      }
      const identity = response.status === 200 ? await readJson(response) : undefined;
      if (identity === undefined) {
        await response.body?.cancel();
        return UNAVAILABLE;
      }
      const principal = principalOf(identity, options, expiryOf(identity));
      if (principal === null) return UNAVAILABLE;
      const ambient = isAmbient(authorization);
      return { kind: 'principal', principal: { ...principal, ...(ambient && { ambient }) } };
    } catch {
      return UNAVAILABLE;
    }
  }

  return {
    challenge: () => 'Application realm="oncegate"',
    async authenticate(request: IncomingMessage) {
      const { cookie, authorization } = request.headers;
      if (cookie === undefined && authorization === undefined) return { kind: 'none' };
      return cache.answer(JSON.stringify([cookie, authorization]), () => ask(cookie, authorization));
    },
  };
}

/** The JSON of an answer; undefined if it is malformed or too long. */
async function readJson(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > MAX_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** When the login ends: `exp`, in Unix seconds as in a JWT (RFC 7519 §4.1.4). */
function expiryOf(identity: unknown): number | undefined {
  const exp: unknown = typeof identity === 'object' && identity !== null ? Reflect.get(identity, 'exp') : undefined;
  return typeof exp === 'number' && Number.isSafeInteger(exp) ? exp * 1000 : undefined;
}

/** Whether a challenge of the application is well-formed, so that it may be passed on. */
function isChallenge(value: string): boolean {
  return value.length <= MAX_CHALLENGE_LENGTH && /^[A-Za-z][!-~]*( [ -~]*)?$/.test(value);
}
