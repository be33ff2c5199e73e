import { parseCookie as parse } from 'cookie';
import { unsign } from 'cookie-signature';
import type { RedisLink } from '../../../shared/store/redis-link.ts';
import { StoreUnavailable } from '../../../shared/store/store.ts';
import type { Authentication, Authenticator } from './authenticator.ts';
import { principalOf, subjectAt } from './identity.ts';

export interface SessionCookieOptions {
  /** The newest first; the older ones only verify. */
  readonly secrets: readonly string[];
  readonly cookieName: string;
  readonly subjectPath: string;
  /** What the sessions' keys begin with. */
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
    // Before it is asked: the session ends no later than its key.
    const now = Date.now();
    const [text, lifetimeMs] = await redis.run((client) => Promise.all([client.get(key), client.pttl(key)]));
    const session = text === null ? null : parseSession(text);
    if (session === null) return { kind: 'invalid' };
    // A session that nobody has signed in to is no credential, and no fault either.
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
 * When a session ends: at the moment in its cookie or with its key, whichever is sooner. A cookie that is
 * past while the key lives is one that rolls on: rolling prolongs the key, and not what is stored.
 */
function sessionEnd(session: object, lifetimeMs: number, now: number): number | undefined {
  const cookie: unknown = Reflect.get(session, 'cookie');
  const expires: unknown = typeof cookie === 'object' && cookie !== null ? Reflect.get(cookie, 'expires') : undefined;
  const cookieEnd = typeof expires === 'string' ? Date.parse(expires) : Number.NaN;
  if (lifetimeMs <= 0) return Number.isNaN(cookieEnd) ? undefined : cookieEnd;
  return cookieEnd > now ? Math.min(cookieEnd, now + lifetimeMs) : now + lifetimeMs;
}
