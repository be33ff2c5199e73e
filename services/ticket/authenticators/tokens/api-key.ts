import { type ApiKey, findApiKey, isApiKey } from '../../../../shared/logins/api-keys.ts';
import { fitsPattern } from '../../../../shared/ticket/pattern.ts';
import type { Principal, TokenVerifier } from '../authenticator.ts';

/**
 * API keys of back ends (`ogk_...`).
 *
 * @param keys returns the keys that are in force now
 */
export function createApiKeyVerifier(keys: () => readonly ApiKey[]): TokenVerifier {
  return {
    async verify(token) {
      if (!isApiKey(token)) return { kind: 'none' };
      const key = findApiKey(token, keys());
      return key === undefined
        ? { kind: 'invalid', reason: 'AUTH_API_KEYS_FILE has no such key' }
        : { kind: 'principal', principal: principalOfKey(key, keys) };
    },
  };
}

function principalOfKey(key: ApiKey, keys: () => readonly ApiKey[]): Principal {
  const patterns = key.subjects ?? [];
  return {
    subject: key.name,
    delegation: {
      mayActFor: (subject) => subject === key.name || patterns.some((pattern) => fitsPattern(subject, pattern)),
      inForce: () => keys().some(({ id, sha256 }) => id === key.id && sha256 === key.sha256),
      ...(key.audiences !== undefined && { audiences: key.audiences }),
    },
  };
}
