import * as oauth from 'oauth4webapi';
import { AnswerCache } from '../answer-cache.ts';
import type { Authentication, TokenVerifier } from '../authenticator.ts';
import { authenticated, type IdentityRules, principalOf } from '../identity.ts';

export interface IntrospectionOptions extends IdentityRules {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The audience that a token must be for, if the answer names any. */
  readonly audience: string | undefined;
  readonly timeoutMs: number;
  /** The longest time an answer is cached, and never past the token's expiry; 0 caches none. */
  readonly cacheSeconds: number;
}

const UNAVAILABLE: Authentication = { kind: 'unavailable', code: 'authentication_unavailable' };

/** Opaque access tokens, about which their issuer is asked (RFC 7662). */
export function createIntrospectionVerifier(options: IntrospectionOptions): TokenVerifier {
  const { server, client, authentication } = partiesOf(options);
  const cache = new AnswerCache(options.cacheSeconds);

  async function introspect(token: string): Promise<Authentication> {
    let answer: oauth.IntrospectionResponse;
    try {
      const response = await oauth.introspectionRequest(server, client, authentication, token, requestOptions(options));
      answer = await oauth.processIntrospectionResponse(server, client, response);
    } catch {
      return UNAVAILABLE;
    }
    // The library checks `active` only, and a comparison with something other than a number is always false.
    if (![answer.exp, answer.nbf].every(isTime)) return UNAVAILABLE;
    return judge(answer, options, Date.now());
  }

  return { verify: (token) => cache.answer(token, () => introspect(token)) };
}

function partiesOf({ url, clientId, clientSecret }: Pick<IntrospectionOptions, 'url' | 'clientId' | 'clientSecret'>) {
  const server: oauth.AuthorizationServer = { issuer: new URL(url).origin, introspection_endpoint: url };
  const client: oauth.Client = { client_id: clientId };
  return { server, client, authentication: oauth.ClientSecretBasic(clientSecret) };
}

function requestOptions({
  url,
  timeoutMs,
}: Pick<IntrospectionOptions, 'url' | 'timeoutMs'>): oauth.IntrospectionRequestOptions {
  return { signal: () => AbortSignal.timeout(timeoutMs), [oauth.allowInsecureRequests]: url.startsWith('http:') };
}

/** Decides about a token by its introspection answer, at `now` (Unix ms). */
export function judge(answer: oauth.IntrospectionResponse, rules: IntrospectionOptions, now: number): Authentication {
  const { active, exp, nbf, aud } = answer;
  if (active !== true) return { kind: 'invalid' };
  if (exp !== undefined && now >= exp * 1000) return { kind: 'invalid' };
  if (nbf !== undefined && now < nbf * 1000) return { kind: 'invalid' };
  if (rules.audience !== undefined && aud !== undefined && ![aud].flat().includes(rules.audience))
    return { kind: 'invalid' };
  return authenticated(principalOf(answer, rules, exp === undefined ? undefined : Math.floor(exp * 1000)));
}

function isTime(value: unknown): boolean {
  return value === undefined || Number.isFinite(value);
}

/** Asks about a token that cannot be valid. Throws if the endpoint does not answer as RFC 7662 requires. */
export async function checkIntrospection(
  options: Pick<IntrospectionOptions, 'url' | 'clientId' | 'clientSecret' | 'timeoutMs'>,
): Promise<void> {
  const { server, client, authentication } = partiesOf(options);
  const response = await oauth.introspectionRequest(
    server,
    client,
    authentication,
    'oncegate-check',
    requestOptions(options),
  );
  await oauth.processIntrospectionResponse(server, client, response);
}
