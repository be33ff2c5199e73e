import { type CryptoKey, exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';
import { Provider, type ResourceServer } from 'oidc-provider';
import { type Loopback, startLoopback } from '../browsers/loopback.ts';

/** The client of the ticket service at the introspection endpoint. */
export const INTROSPECTION_CLIENT = { id: 'oncegate', secret: 'the secret of the ticket service' } as const;

/** The clients that get tokens, each a subject of its own, with their claims. */
const SUBJECTS = {
  ada: { email: 'ada@example.org', roles: ['reader', 'writer'] },
  bob: { email: 'bob@example.org' },
} as const;

export interface TokenRequest {
  readonly format: 'jwt' | 'opaque';
  readonly subject?: keyof typeof SUBJECTS;
  readonly audience?: string;
  readonly ttlSeconds?: number;
}

/** A real OpenID Connect provider on loopback. */
export interface OidcProvider extends Loopback {
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly introspectionUrl: string;
  /** Gets an access token by the client credentials grant. */
  token(wish: TokenRequest): Promise<string>;
  /** Revokes an access token (RFC 7009). */
  revoke(token: string, subject?: keyof typeof SUBJECTS): Promise<void>;
  /**
   * Signs a JWT with the provider's own key, for claims that the provider would not issue.
   * By default it is a valid one of ada for the audience `chat`.
   */
  sign(claims?: Readonly<Record<string, unknown>>, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** Signs with a new key from now on; earlier keys are still published only if they are kept. */
  rotate(options?: { readonly keep: boolean }): Promise<void>;
  /** How often the keys were requested. */
  keyRequests(): number;
}

interface SigningKey {
  readonly kid: string;
  readonly key: CryptoKey;
  readonly jwk: object;
}

const ALGORITHM = 'ES256';

export async function startOidcProvider(): Promise<OidcProvider> {
  let keys = [await makeKey(1)];
  let made = 1;
  let handle: ReturnType<Provider['callback']> | undefined;
  const loopback = await startLoopback((request, response) => void handle?.(request, response));
  const issuer = loopback.url;
  const provide = (): void => {
    handle = providerWith(
      issuer,
      keys.map(({ jwk }) => jwk),
    ).callback();
  };
  provide();

  async function post(path: string, client: string, secret: string, form: Record<string, string>): Promise<Response> {
    const response = await fetch(`${issuer}${path}`, {
      method: 'POST',
      headers: { Authorization: `Basic ${Buffer.from(`${client}:${secret}`).toString('base64')}` },
      body: new URLSearchParams(form),
    });
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return response;
  }

  return {
    ...loopback,
    issuer,
    jwksUrl: `${issuer}/jwks`,
    introspectionUrl: `${issuer}/token/introspection`,
    async token({ format, subject = 'ada', audience = 'chat', ttlSeconds = 300 }) {
      const resource = `urn:oncegate:${format}:${audience}:${ttlSeconds}`;
      const response = await post('/token', subject, secretOf(subject), { grant_type: 'client_credentials', resource });
      const { access_token: token } = (await response.json()) as { access_token: string }; // RFC 6749 §5.1
      return token;
    },
    async revoke(token, subject = 'ada') {
      await post('/token/revocation', subject, secretOf(subject), { token });
    },
    sign(claims = {}, header = {}) {
      const [{ kid, key } = { kid: '', key: undefined }] = keys;
      if (key === undefined) throw new Error('the provider has no key');
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ iss: issuer, aud: 'chat', sub: 'ada', iat: now, exp: now + 300, ...claims })
        .setProtectedHeader({ alg: ALGORITHM, kid, ...header })
        .sign(key);
    },
    async rotate({ keep } = { keep: false }) {
      made += 1;
      keys = [await makeKey(made), ...(keep ? keys : [])];
      provide();
    },
    keyRequests: () => loopback.count('/jwks'),
  };
}

async function makeKey(number: number): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const kid = `key-${number}`;
  return { kid, key: privateKey, jwk: { ...(await exportJWK(privateKey)), kid, use: 'sig', alg: ALGORITHM } };
}

function secretOf(client: string): string {
  return `the secret of ${client}`;
}

function providerWith(issuer: string, keys: readonly object[]): Provider {
  const common = {
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    id_token_signed_response_alg: ALGORITHM,
  } as const;
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [
      ...Object.keys(SUBJECTS).map((id) => ({ ...common, client_id: id, client_secret: secretOf(id) })),
      { ...common, client_id: INTROSPECTION_CLIENT.id, client_secret: INTROSPECTION_CLIENT.secret },
    ],
    ttl: { ClientCredentials: (_context, { resourceServer }) => resourceServer?.accessTokenTTL ?? 300 },
    cookies: { keys: ['a key of the tests'] },
    extraTokenClaims: (_context, token) => {
      const id = token.clientId as keyof typeof SUBJECTS; // they are the only clients that get tokens
      return { sub: id, ...SUBJECTS[id] };
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: { enabled: true, getResourceServerInfo: (_context, resource) => resourceServer(resource) },
    },
  });
  provider.on('server_error', (_context, error) => {
    throw error;
  });
  return provider;
}

/** The access token that a resource indicator of {@link OidcProvider.token} requests. */
function resourceServer(resource: string): ResourceServer {
  const [, , format, audience = '', ttl] = resource.split(':');
  return {
    scope: '',
    audience,
    accessTokenTTL: Number(ttl),
    accessTokenFormat: format === 'jwt' ? 'jwt' : 'opaque',
    jwt: { sign: { alg: ALGORITHM } },
  };
}
