import { parseCookie as parse } from 'cookie';
import { unsign } from 'cookie-signature';
import type { RedisLink } from '../../../shared/store/redis/redis-link.ts';
import { StoreUnavailable } from '../../../shared/store/store.ts';
import type { Authentication, Authenticator } from './authenticator.ts';
import { principalOf, subjectAt } from './identity.ts';

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
    const [text, lifetimeMs] = await redis.run((client) => Promise.all([client.get(key), client.pttl(key)]));
    const session = text === null ? null : parseSession(text);
    if (session === null) return { kind: 'invalid' };
    // A session without a subject is one before the login: it carries no credentials.
    if (subjectAt(session, subjectPath) === undefined) return { kind: 'none' };

    const expiresAt = sessionEnd(session, lifetimeMs, now);
    if (expiresAt !== undefined && expiresAt <= Date.now()) return { kind: 'invalid' };
    const principal = principalOf(session, { subjectPath, claimNames: [] }, expiresAt);
    return principal === null ? { kind: 'invalid' } : { kind: 'principal', principal: { ...principal, ambient: true } };
  }

  return {
    challenge: () => `Cookie realm="oncegate", cookie-name="${cookieName}"`,
    async authenticate(request) {
      const cookie = parse(request.headers.cookie ?? '')[cookieName];
      if (cookie === undefined) return { kind: 'none' };
      const id = sessionId(cookie);
      if (id === undefined) return { kind: 'invalid' };
      try {
        return await readSession(id);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        return { kind: 'unavailable', code: 'authentication_unavailable' };
      }
    },
  };
}

function parseSession(text: string): object | null {
  try {
    const session: unknown = JSON.parse(text);
    return typeof session === 'object' ? session : null;
  } catch {
    return null;
  }
}

/**
 * When a session ends: at its cookie's expiry or with its key, whichever is sooner. A rolling session
 * prolongs the key only, so a stored expiry in the past is ignored while the key lives.
 */
function sessionEnd(session: object, lifetimeMs: number, now: number): number | undefined {
  const cookie: unknown = Reflect.get(session, 'cookie');
  const expires: unknown = typeof cookie === 'object' && cookie !== null ? Reflect.get(cookie, 'expires') : undefined;
  const cookieEnd = typeof expires === 'string' ? Date.parse(expires) : Number.NaN;
  if (lifetimeMs <= 0) return Number.isNaN(cookieEnd) ? undefined : cookieEnd;
  return cookieEnd > now ? Math.min(cookieEnd, now + lifetimeMs) : now + lifetimeMs;
}
