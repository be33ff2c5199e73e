import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors } from 'jose';
import * as oauth from 'oauth4webapi';
import { counterpartFetch } from '../counterpart-fetch.ts';
import { reasonOf } from '../reason.ts';
import { type KeySource, KeysUnavailable } from './jwt.ts';
import { keysFor } from './key-set.ts';

export type IssuerAddress = { readonly issuer: string } | { readonly jwksUrl: string };

/** Attack: unknown key ids make the service ask for new keys at most once in this time. */
const COOLDOWN_MS = 30_000;

/** How long known keys are used before they are asked for again. */
const MAX_AGE_MS = 600_000;

/** How long the issuer is not asked after a failure. */
const PAUSE_MS = 2_000;

/**
 * The signing keys of an issuer, looked up when they are needed. While the issuer cannot be reached, known
 * keys keep working, and an unknown key leads to a 503, not to a 401.
 */
export class IssuerKeys {
  readonly #address: IssuerAddress;
  readonly #timeoutMs: number;
  #remote: ReturnType<typeof createRemoteJWKSet> | undefined;
  #discovery: Promise<URL> | undefined;
  #pausedUntil = 0;
  #failure = 'it has not been asked yet';

  constructor(address: IssuerAddress, timeoutMs: number) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
  }

  /** Finds the keys of a token. */
  readonly find: KeySource = async (header) => {
    if (Date.now() >= this.#pausedUntil) {
      try {
        return await keysFor(header, await this.#found());
      } catch (error) {
        if (isAboutTheToken(error)) throw error;
        this.#pausedUntil = Date.now() + PAUSE_MS;
        this.#failure = reasonOf(error);
      }
    }
    const known = this.#remote?.jwks();
    if (known === undefined) throw new KeysUnavailable(this.#failure);
    try {
      return await keysFor(header, createLocalJWKSet(known));
    } catch {
      throw new KeysUnavailable(this.#failure);
    }
  };

  /** Asks the issuer for its keys now. Throws if it cannot be reached. */
  async check(): Promise<void> {
    const remote = await this.#found();
    await remote.reload();
  }

  /** The key set. Callers that ask while it is being discovered share one discovery. */
  async #found(): Promise<ReturnType<typeof createRemoteJWKSet>> {
    const url = await this.#jwksUrl();
    this.#remote ??= createRemoteJWKSet(url, {
      [customFetch]: counterpartFetch,
      timeoutDuration: this.#timeoutMs,
      cooldownDuration: COOLDOWN_MS,
      cacheMaxAge: MAX_AGE_MS,
    });
    return this.#remote;
  }

  async #jwksUrl(): Promise<URL> {
    if ('jwksUrl' in this.#address) return new URL(this.#address.jwksUrl);
    this.#discovery ??= discover(new URL(this.#address.issuer), this.#timeoutMs);
    try {
      return await this.#discovery;
    } catch (error) {
      this.#discovery = undefined;
      throw error;
    }
  }
}

/** OpenID Connect Discovery 1.0 §4. The answer must name this issuer. */
async function discover(issuer: URL, timeoutMs: number): Promise<URL> {
  const response = await oauth.discoveryRequest(issuer, {
    [oauth.customFetch]: counterpartFetch,
    signal: () => AbortSignal.timeout(timeoutMs),
    [oauth.allowInsecureRequests]: issuer.protocol === 'http:',
  });
  const { jwks_uri: url } = await oauth.processDiscoveryResponse(issuer, response);
  if (url === undefined) throw new Error('the issuer announces no jwks_uri');
  return new URL(url);
}

function isAboutTheToken(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JOSENotSupported;
}
