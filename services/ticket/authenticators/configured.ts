import type { Fault, Rule } from '../../../shared/settings/load.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import { parseUsersFile } from '../../../shared/users-file.ts';
import type { Authenticator } from './authenticator.ts';
import { createBasicAuthenticator } from './basic.ts';
import { createBearerAuthenticator, parsePublicKeys } from './bearer.ts';

/** The authenticators that the settings configure, in the order in which they are tried. */
export function configuredAuthenticators(settings: Settings): Authenticator[] {
  const { authUsersFile, authJwtSecret: secret, authJwtPublicKeyFile, authJwtIssuer, authJwtAudience } = settings;
  const authenticators: Authenticator[] = [];
  if (authUsersFile !== undefined) {
    authenticators.push(createBasicAuthenticator(parseUsersFile(authUsersFile.content).users));
  }
  if (secret !== undefined || authJwtPublicKeyFile !== undefined) {
    const publicKeys = authJwtPublicKeyFile && (parsePublicKeys(authJwtPublicKeyFile.content) ?? undefined);
    authenticators.push(
      createBearerAuthenticator({ secret, publicKeys, issuer: authJwtIssuer, audience: authJwtAudience }),
    );
  }
  return authenticators;
}

/** What is wrong inside the files of the authenticators. */
export const authenticationFiles: Rule = ({ authUsersFile, authJwtPublicKeyFile }) => {
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
  return faults;
};

/** A ticket service that would let nobody in, or everybody, does not start. */
export const authenticationIsNeeded: Rule = (_, written) =>
  written('AUTH_USERS_FILE') || written('AUTH_JWT_SECRET') || written('AUTH_JWT_PUBLIC_KEY_FILE')
    ? []
    : ['AUTH_USERS_FILE: must be set (or AUTH_JWT_SECRET, or AUTH_JWT_PUBLIC_KEY_FILE): nobody could sign in'];
