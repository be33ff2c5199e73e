import type { IncomingMessage } from 'node:http';
import type { Network } from '../../../shared/http/address.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import type { Authenticator, Principal } from '../authenticators/authenticator.ts';

export type Caller =
  | {
      readonly ok: true;
      readonly principal: Principal;
      /** The refusal to answer with if the credentials are revoked before the request is done. */
      readonly revoked: Refusal;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * Finds out who sends a request. The first authenticator that finds credentials of its kind decides.
 * A 401 carries the challenges of all authenticators (RFC 9110 §15.5.2).
 */
export async function authenticate(
  request: IncomingMessage,
  authenticators: readonly Authenticator[],
  from: Network,
): Promise<Caller> {
  const challenges = (invalid?: Authenticator): string[] =>
    authenticators.map((authenticator) => authenticator.challenge(authenticator === invalid));
  const refusedBy = (authenticator: Authenticator, own: readonly string[] = []): Refusal => ({
    code: 'credentials_invalid',
    challenges: [...own, ...challenges(authenticator)],
  });

  // Attack: of two Authorization headers Node keeps the first, and a proxy in front may check the second.
  const given = request.rawHeaders.filter(
    (name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization',
  ).length;
  if (given > 1) return { ok: false, refusal: { code: 'credentials_invalid', challenges: challenges() } };

  for (const authenticator of authenticators) {
    const found = await authenticator.authenticate(request, from);
    switch (found.kind) {
      case 'none':
        continue;
      case 'principal':
        return { ok: true, principal: found.principal, revoked: refusedBy(authenticator) };
      case 'unavailable':
        return { ok: false, refusal: { code: found.code, retryAfterSeconds: found.retryAfterSeconds } };
      case 'invalid':
        return { ok: false, refusal: refusedBy(authenticator, found.challenges) };
      default:
        return found satisfies never;
    }
  }
  const code = given === 0 ? 'credentials_missing' : 'credentials_invalid';
  return { ok: false, refusal: { code, challenges: challenges() } };
}
