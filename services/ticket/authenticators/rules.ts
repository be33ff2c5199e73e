import { isWide } from '../../../shared/http/wide-trust.ts';
import { parseApiKeys } from '../../../shared/logins/api-keys.ts';
import { parseUsersFile } from '../../../shared/logins/users-file.ts';
import type { Fault, Rule } from '../../../shared/settings/load.ts';
import { camelCase, type SettingName, type Settings } from '../../../shared/settings/table.ts';
import { parsePublicKeys } from './tokens/public-keys.ts';

/** Each of these settings configures an authenticator. */
const AUTHENTICATORS: readonly SettingName[] = [
  'AUTH_USERS_FILE',
  'AUTH_JWT_SECRET',
  'AUTH_JWT_PUBLIC_KEY_FILE',
  'AUTH_OIDC_ISSUER',
  'AUTH_JWKS_URL',
  'AUTH_INTROSPECTION_URL',
  'AUTH_SESSION_SECRET',
  'AUTH_FORWARD_URL',
  'AUTH_PROXY_HEADER',
  'AUTH_API_KEYS_FILE',
];

/** Reports faults inside the files of the authenticators. */
const files: Rule = ({ authUsersFile, authJwtPublicKeyFile, authApiKeysFile }) => {
  const faults: Fault[] = [];
  if (authUsersFile !== undefined) {
    const { users, faults: lines } = parseUsersFile(authUsersFile.content);
    faults.push(...lines.map((fault) => `AUTH_USERS_FILE: ${fault}`));
    if (users.size === 0 && lines.length === 0) {
      faults.push('AUTH_USERS_FILE: must name at least one user (oncegate users add <name>)');
    }
  }
  if (authJwtPublicKeyFile !== undefined && parsePublicKeys(authJwtPublicKeyFile.content) === null) {
    faults.push(
      'AUTH_JWT_PUBLIC_KEY_FILE: must hold an RSA, EC or Ed25519 public key in PEM, or a JWKS of such keys, and no private key',
    );
  }
  const keys = authApiKeysFile && parseApiKeys(authApiKeysFile.content);
  if (keys?.ok === false) faults.push(...keys.faults.map((fault) => `AUTH_API_KEYS_FILE: ${fault}`));
  return faults;
};

/** Reports settings that are useless or unsafe without others, or that contradict each other. */
const combinations: Rule = (_, written) => {
  const faults: Fault[] = [];
  const needs = (name: SettingName, other: SettingName, why: string): void => {
    if (written(name) && !written(other)) faults.push(`${other}: must be set, because ${name} is: ${why}`);
  };
  const audience = 'a token that was made for another service would open this one';
  needs('AUTH_OIDC_ISSUER', 'AUTH_JWT_AUDIENCE', audience);
  needs('AUTH_JWKS_URL', 'AUTH_JWT_AUDIENCE', audience);
  needs('AUTH_INTROSPECTION_URL', 'AUTH_INTROSPECTION_CLIENT_ID', 'the endpoint answers known clients only');
  needs('AUTH_INTROSPECTION_URL', 'AUTH_INTROSPECTION_CLIENT_SECRET', 'the endpoint answers known clients only');
  needs('AUTH_PROXY_HEADER', 'TRUST_PROXY', 'without it nobody may send the header');
  if (written('AUTH_OIDC_ISSUER') && written('AUTH_JWKS_URL')) {
    faults.push('AUTH_JWKS_URL: must not be set together with AUTH_OIDC_ISSUER, which finds its keys by discovery');
  }
  if (written('AUTH_JWKS_URL') && written('AUTH_JWT_PUBLIC_KEY_FILE')) {
    faults.push(
      'AUTH_JWT_PUBLIC_KEY_FILE: must not be set together with AUTH_JWKS_URL: no token says which of them it is for',
    );
  }
  if (written('AUTH_SESSION_SECRET') && !written('AUTH_SESSION_REDIS_URL') && !written('REDIS_URL')) {
    faults.push('AUTH_SESSION_REDIS_URL: must be set, because AUTH_SESSION_SECRET is and there is no REDIS_URL');
  }
  return faults;
};

/** Attack: from an address in TRUST_PROXY anybody can act for every subject. */
const proxyHeader: Rule = ({ trustProxy }, written) =>
  written('AUTH_PROXY_HEADER') && trustProxy !== undefined && isWide(trustProxy)
    ? [
        'TRUST_PROXY: must name the proxies alone, because AUTH_PROXY_HEADER is set: it covers a large part of all addresses',
      ]
    : [];

export const authenticationRules: readonly Rule[] = [files, combinations, proxyHeader];

/** Whether any authenticator is configured. */
export function hasAuthenticator(settings: Settings): boolean {
  return AUTHENTICATORS.some((name) => settings[camelCase(name)] !== undefined);
}

/** A ticket service at which nobody could sign in does not start. */
export const authenticationIsNeeded: Rule = (_, written) =>
  AUTHENTICATORS.some(written)
    ? []
    : [`AUTH_USERS_FILE: must be set (or ${AUTHENTICATORS.slice(1).join(', ')}): nobody could sign in`];
