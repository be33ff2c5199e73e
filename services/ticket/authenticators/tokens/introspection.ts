import * as oauth from 'oauth4webapi';
import { utf8Text } from '../../../../shared/utf8.ts';
import { COUNTERPART_LIMITS, FairQueue } from '../../limits/fair-queue.ts';
import { AnswerCache } from '../answer-cache.ts';
import { type Authentication, isFailure, OVERLOADED, type TokenVerifier } from '../authenticator.ts';
import { counterpartFetch } from '../counterpart-fetch.ts';
import { authenticated, endOf, type IdentityRules } from '../identity.ts';
import { reasonOf } from '../reason.ts';

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

/** Opaque access tokens, about which their issuer is asked (RFC 7662). */
export function createIntrospectionVerifier(options: IntrospectionOptions): TokenVerifier {
  const { server, client, authentication } = partiesOf(options);
  const cache = new AnswerCache(options.cacheSeconds);
  const queue = new FairQueue(COUNTERPART_LIMITS);

  async function introspect(token: string): Promise<Authentication> {
    let answer: oauth.IntrospectionResponse;
    try {
      const response = await oauth.introspectionRequest(server, client, authentication, token, requestOptions(options));
      const text = utf8Text(new Uint8Array(await response.arrayBuffer()));
      if (text === undefined) return unavailable('its answer is not UTF-8');
      answer = await oauth.processIntrospectionResponse(server, client, new Response(text, response));
    } catch (error) {
      return unavailable(reasonOf(error));
    }
    return judge(answer, options, Date.now());
  }

  return {
    verify: (token, from) =>
      cache.answer(token, async () => (await queue.run(from, () => introspect(token), isFailure)) ?? OVERLOADED),
  };
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
  return {
    [oauth.customFetch]: counterpartFetch,
    [oauth.allowInsecureRequests]: url.startsWith('http:'),
    signal: () => AbortSignal.timeout(timeoutMs),
  };
}

/** Decides about a token by its introspection answer, at `now` (Unix ms). */
export function judge(answer: oauth.IntrospectionResponse, rules: IntrospectionOptions, now: number): Authentication {
  const invalid = (reason: string): Authentication => ({ kind: 'invalid', reason });
  const { active, aud } = answer;
  // The library checks `active` only.
  const [end, begin] = [endOf(answer.exp, 1_000), endOf(answer.nbf, 1_000)];
  if (active !== true) return invalid('the introspection endpoint says that it is not active');
  if (!end.ok || !begin.ok) return unavailable(`${end.ok ? 'nbf' : 'exp'} in its answer is not a number`);
  if (end.at !== undefined && now >= end.at) return invalid('it has expired (exp)');
  if (begin.at !== undefined && now < begin.at) return invalid('it is not valid yet (nbf)');
  if (rules.audience !== undefined && aud !== undefined && ![aud].flat().includes(rules.audience))
    return invalid(`its aud is not ${rules.audience}`);
  return authenticated(answer, rules, end.at);
}

function unavailable(reason: string): Authentication {
  return { kind: 'unavailable', code: 'authentication_unavailable', reason: `AUTH_INTROSPECTION_URL: ${reason}` };
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
