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
  /** The reason is for the log. */
  | { readonly ok: false; readonly refusal: Refusal; readonly reason?: string };

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
  if (given > 1) {
    const refusal: Refusal = { code: 'credentials_invalid', challenges: challenges() };
    return { ok: false, refusal, reason: 'there is more than one Authorization header' };
  }

  for (const authenticator of authenticators) {
    const found = await authenticator.authenticate(request, from);
    switch (found.kind) {
      case 'none':
        continue;
      case 'principal':
        return { ok: true, principal: found.principal, revoked: refusedBy(authenticator) };
      case 'unavailable':
        return {
          ok: false,
          refusal: { code: found.code, retryAfterSeconds: found.retryAfterSeconds },
          reason: found.reason,
        };
      case 'invalid':
        return { ok: false, refusal: refusedBy(authenticator, found.challenges), reason: found.reason };
      default:
        return found satisfies never;
    }
  }
  if (given === 0) return { ok: false, refusal: { code: 'credentials_missing', challenges: challenges() } };
  const reason = 'no setting is for the scheme of the Authorization header';
  return { ok: false, refusal: { code: 'credentials_invalid', challenges: challenges() }, reason };
}
