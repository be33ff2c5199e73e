import { type ParsedFile, WatchedFile } from '../../../shared/files/watched-file.ts';
import { type ApiKey, parseApiKeys } from '../../../shared/logins/api-keys.ts';
import { parseUsersFile } from '../../../shared/logins/users-file.ts';
import type { Logger } from '../../../shared/process/log.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import { RedisLink } from '../../../shared/store/redis/redis-link.ts';
import type { TicketStore } from '../../../shared/store/store.ts';
import type { Authenticator, TokenVerifier } from './authenticator.ts';
import { createBearerAuthenticator, firstThatKnows } from './bearer.ts';
import { createForwardAuthenticator } from './forward.ts';
import type { IdentityRules } from './identity.ts';
import { createBasicAuthenticator } from './passwords/basic.ts';
import { NameThrottle } from './passwords/name-throttle.ts';
import { UserPasswords } from './passwords/user-passwords.ts';
import { createProxyHeaderAuthenticator } from './proxy-header.ts';
import { createSessionCookieAuthenticator } from './session-cookie.ts';
import { createApiKeyVerifier } from './tokens/api-key.ts';
import { createIntrospectionVerifier, type IntrospectionOptions } from './tokens/introspection.ts';
import { createIssuerVerifier } from './tokens/issuer.ts';
import { IssuerKeys } from './tokens/issuer-keys.ts';
import type { JwtRules } from './tokens/jwt.ts';
import { createPublicKeyVerifier, parsePublicKeys } from './tokens/public-keys.ts';
import { createSharedSecretVerifier } from './tokens/shared-secret.ts';

export interface AuthenticationContext {
  readonly settings: Settings;
  readonly store: TicketStore;
  readonly log: Logger;
}

/**
 * The authenticators that the settings configure, in the order in which they are tried. The proxy's header
 * comes first: behind other credentials a forged header would be ignored instead of refused. Credentials
 * that the caller sends on purpose come before a cookie and before asking the application.
 */
export function configuredAuthenticators(context: AuthenticationContext): Authenticator[] {
  const { settings } = context;
  const found: Array<Authenticator | undefined> = [
    settings.authProxyHeader === undefined
      ? undefined
      : createProxyHeaderAuthenticator(settings.authProxyHeader, settings.trustProxy),
    basic(context),
    bearer(tokenVerifier(context)),
    sessionCookie(context),
    forward(settings),
  ];
  return found.filter((authenticator) => authenticator !== undefined);
}

/**
 * Whether the playground may rely on the browser's existing login, at the application or at a proxy. With
 * HTTP Basic it may not: the browser would ask for a password itself, and then send it for any site's requests.
 */
export function takesExistingLogin(settings: Settings): boolean {
  const { authUsersFile, authProxyHeader, authSessionSecret, authForwardUrl } = settings;
  if (authUsersFile !== undefined) return false;
  return [authProxyHeader, authSessionSecret, authForwardUrl].some((setting) => setting !== undefined);
}

/** The keys of the configured issuer; undefined if there is none. */
export function issuerKeysOf(settings: Settings): IssuerKeys | undefined {
  const { authOidcIssuer: issuer, authJwksUrl: jwksUrl, authTimeoutMs } = settings;
  if (issuer !== undefined) return new IssuerKeys({ issuer }, authTimeoutMs);
  return jwksUrl === undefined ? undefined : new IssuerKeys({ jwksUrl }, authTimeoutMs);
}

/** A link to the Redis of the application's sessions; undefined if none is configured. */
export function sessionRedisOf(settings: Settings): RedisLink | undefined {
  const url = settings.authSessionRedisUrl ?? settings.redisUrl;
  if (settings.authSessionSecret === undefined || url === undefined) return undefined;
  return new RedisLink({
    address: { kind: 'single', url, ca: settings.redisCaFile?.content },
    timeoutMs: settings.redisTimeoutMs,
  });
}

function basic({ settings, store, log }: AuthenticationContext): Authenticator | undefined {
  if (settings.authUsersFile === undefined) return undefined;
  const { users } = parseUsersFile(settings.authUsersFile.content);
  const { costs } = new UserPasswords(users);
  if (costs > 1) {
    const event = { event: 'password_costs_differ', setting: 'AUTH_USERS_FILE', costs };
    log.warn(event, 'each check of a password costs as much as all of them together: set the older passwords again');
  }
  return createBasicAuthenticator({ users, throttle: new NameThrottle(store) });
}

function bearer(verifier: TokenVerifier | undefined): Authenticator | undefined {
  return verifier && createBearerAuthenticator(verifier);
}

/** The verifier of every kind of token that the settings configure; undefined if there is none. */
export function tokenVerifier(context: AuthenticationContext): TokenVerifier | undefined {
  const { settings } = context;
  const rules: JwtRules = {
    ...identityRules(settings, settings.authJwtSubject),
    issuer: settings.authJwtIssuer,
    audience: settings.authJwtAudience,
    clockToleranceSeconds: settings.authJwtClockToleranceSeconds,
  };
  const issuerKeys = issuerKeysOf(settings);
  const introspection = introspectionOf(settings);
  const publicKeys = settings.authJwtPublicKeyFile && parsePublicKeys(settings.authJwtPublicKeyFile.content);
  const found: Array<TokenVerifier | undefined> = [
    apiKeys(context),
    settings.authJwtSecret === undefined ? undefined : createSharedSecretVerifier(settings.authJwtSecret, rules),
    issuerKeys && createIssuerVerifier(issuerKeys, { ...rules, issuer: settings.authOidcIssuer ?? rules.issuer }),
    publicKeys ? createPublicKeyVerifier(publicKeys, rules) : undefined,
    introspection && createIntrospectionVerifier(introspection),
  ];
  const verifiers = found.filter((verifier) => verifier !== undefined);
  return verifiers.length === 0 ? undefined : firstThatKnows(verifiers);
}

function apiKeys({ settings, log }: AuthenticationContext): TokenVerifier | undefined {
  const { authApiKeysFile: file } = settings;
  if (file === undefined) return undefined;
  const parse = (content: string): ParsedFile<readonly ApiKey[]> => {
    const parsed = parseApiKeys(content);
    return parsed.ok ? { ok: true, value: parsed.keys } : parsed;
  };
  const atStart = parse(file.content);
  const keys = new WatchedFile(
    {
      path: file.path,
      parse,
      onFaults: (faults) => log.error({ event: 'file_refused', setting: 'AUTH_API_KEYS_FILE', faults }),
    },
    atStart.ok ? atStart.value : [],
  );
  return createApiKeyVerifier(() => keys.current());
}

/** The options for introspection of opaque tokens; undefined if no endpoint is configured. */
export function introspectionOf(settings: Settings): IntrospectionOptions | undefined {
  const {
    authIntrospectionUrl: url,
    authIntrospectionClientId: clientId,
    authIntrospectionClientSecret: clientSecret,
  } = settings;
  if (url === undefined || clientId === undefined || clientSecret === undefined) return undefined;
  return {
    ...identityRules(settings, settings.authJwtSubject),
    url,
    clientId,
    clientSecret,
    audience: settings.authJwtAudience,
    timeoutMs: settings.authTimeoutMs,
    cacheSeconds: settings.authIntrospectionCacheSeconds,
  };
}

function sessionCookie({ settings }: AuthenticationContext): Authenticator | undefined {
  const redis = sessionRedisOf(settings);
  if (settings.authSessionSecret === undefined || redis === undefined) return undefined;
  return createSessionCookieAuthenticator({
    secrets: settings.authSessionSecret,
    cookieName: settings.authSessionCookie,
    subjectPath: settings.authSessionSubject,
    keyPrefix: settings.authSessionPrefix,
    redis,
  });
}

function forward(settings: Settings): Authenticator | undefined {
  if (settings.authForwardUrl === undefined) return undefined;
  return createForwardAuthenticator({
    ...identityRules(settings, settings.authForwardSubject),
    url: settings.authForwardUrl,
    timeoutMs: settings.authTimeoutMs,
    cacheSeconds: settings.authForwardCacheSeconds,
  });
}

function identityRules(settings: Settings, subjectPath: string): IdentityRules {
  return { subjectPath, claimNames: settings.authClaims ?? [] };
}
