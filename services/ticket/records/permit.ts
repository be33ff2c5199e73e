import type { Refusal } from '../../../shared/refusals.ts';
import type { TicketRecord } from '../../../shared/store/store.ts';
import { mayActFor, mayUseAudience, type Principal } from '../authenticators/authenticator.ts';
import { applyPolicy, type Policy } from '../issuing/policy.ts';

/** What can be done with a ticket that was issued, and whether the policy of now decides about it too. */
const VERBS = {
  list: { policy: false },
  read: { policy: false },
  // Ending a connection is never against a policy.
  revoke: { policy: false },
  // A renewal is as good as a new ticket.
  renew: { policy: true },
} as const;

export type Verb = keyof typeof VERBS;

/**
 * Why a caller may not do this with a ticket; undefined if it may. For another subject's ticket, and for an audience
 * that a key does not allow, it looks unknown.
 */
export function refusalOf(
  verb: Verb,
  caller: Principal,
  { subject, audience, path }: Pick<TicketRecord, 'subject' | 'audience' | 'path'>,
  policy: Policy | undefined,
): Refusal | undefined {
  if (!mayActFor(caller, subject) || !mayUseAudience(caller, audience)) return { code: 'not_found' };
  if (!VERBS[verb].policy) return undefined;
  const judged = applyPolicy(policy, subject, { audience, path });
  return judged.ok ? undefined : judged.refusal;
}
