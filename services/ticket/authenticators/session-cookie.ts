import { parseCookie as parse } from 'cookie';
import { unsign } from 'cookie-signature';
import type { RedisLink } from '../../../shared/store/redis/redis-link.ts';
import { StoreUnavailable } from '../../../shared/store/store.ts';
import { utf8Json, utf8Text } from '../../../shared/utf8.ts';
import { COUNTERPART_LIMITS, FairQueue } from '../limits/fair-queue.ts';
import { type Authentication, type Authenticator, isFailure, OVERLOADED } from './authenticator.ts';
import { MAX_ANSWER_BYTES } from './counterpart-fetch.ts';
import { authenticated, type End, endOf, member, subjectAt } from './identity.ts';

export interface SessionCookieOptions {
  /** Secrets that sign session cookies, the newest first. A cookie may be signed with any of them. */
  readonly secrets: readonly string[];
  readonly cookieName: string;
  readonly subjectPath: string;
  /** The prefix of the sessions' keys. */
  readonly keyPrefix: string;
  readonly redis: RedisLink;
}

/** How express-session marks a signed value. */
const SIGNED = 's:';

/** The session cookie of an Express application: express-session with connect-redis. */
export function createSessionCookieAuthenticator(options: SessionCookieOptions): Authenticator {
  const { secrets, cookieName, subjectPath, keyPrefix, redis } = options;
  const queue = new FairQueue(COUNTERPART_LIMITS);

  function sessionId(cookie: string): string | undefined {
    if (!cookie.startsWith(SIGNED)) return undefined;
    for (const secret of secrets) {
      const id = unsign(cookie.slice(SIGNED.length), secret);
      if (id !== false) return id;
    }
    return undefined;
  }

  async function readSession(id: string): Promise<Authentication> {
    const key = keyPrefix + id;
    // Taken before Redis is asked, so that the session never outlives its key.
    const now = Date.now();
    const [bytes, lifetimeMs] = await redis.run((client) =>
      Promise.all([client.getrangeBuffer(key, 0, MAX_ANSWER_BYTES), client.pttl(key)]),
    );
    if (bytes.length === 0) return invalid('Redis has no such session');
    if (bytes.length > MAX_ANSWER_BYTES) return unavailable(`the session is longer than ${MAX_ANSWER_BYTES} bytes`);
    if (utf8Text(bytes) === undefined) return unavailable('the session is not UTF-8');
    const session = utf8Json(bytes);
    if (typeof session !== 'object' || session === null) return invalid('the session is not JSON');
    // A session without a subject is one before the login: it carries no credentials.
    if (subjectAt(session, subjectPath) === undefined) return { kind: 'none' };

    const end = sessionEnd(session, lifetimeMs, now);
    if (!end.ok) return unavailable('cookie.expires of the session is no date');
    if (end.at !== undefined && end.at <= Date.now()) return invalid('the session has ended');
    const found = authenticated(session, { subjectPath, claimNames: [] }, end.at);
    return found.kind === 'principal' ? { kind: 'principal', principal: { ...found.principal, ambient: true } } : found;
  }

  return {
    challenge: () => `Cookie realm="oncegate", cookie-name="${cookieName}"`,
    async authenticate(request, from) {
      const cookie = parse(request.headers.cookie ?? '')[cookieName];
      if (cookie === undefined) return { kind: 'none' };
      const id = sessionId(cookie);
      if (id === undefined) return invalid('the cookie is not signed with AUTH_SESSION_SECRET');
      try {
        return (await queue.run(from, () => readSession(id), isFailure)) ?? OVERLOADED;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        return unavailable('the Redis of the sessions does not answer');
      }
    },
  };
}

function invalid(reason: string): Authentication {
  return { kind: 'invalid', reason };
}

function unavailable(reason: string): Authentication {
  return { kind: 'unavailable', code: 'authentication_unavailable', reason };
}

/**
 * When a session ends: at its cookie's expiry or with its key, whichever is sooner. A rolling session
 * prolongs the key only, so a stored expiry in the past is ignored while the key lives.
 */
function sessionEnd(session: object, lifetimeMs: number, now: number): End {
  const expires = member(member(session, 'cookie'), 'expires');
  // express-session writes null, and an application may write false, for a cookie that ends with the browser.
  const written = expires === null || expires === false ? undefined : expires;
  const cookie = endOf(typeof written === 'string' ? Date.parse(written) : written, 1);
  if (!cookie.ok || lifetimeMs <= 0) return cookie;
  const at = now + lifetimeMs;
  return { ok: true, at: cookie.at !== undefined && cookie.at > now ? Math.min(cookie.at, at) : at };
}
