import { randomUUID } from 'node:crypto';
import type { IssueRequest } from '../../../../shared/store/store.ts';
import { hashSecret } from '../../../../shared/ticket/ticket.ts';
import { type InProcess, type StoredTicket, storeTicket } from '../../../support/services/in-process.ts';

/** Stores a ticket and consumes it as a gateway does: its connection is open. */
export async function openTicket(
  { store }: Pick<InProcess, 'store'>,
  fields: Partial<IssueRequest> = {},
): Promise<StoredTicket> {
  const ticket = await storeTicket(store, fields);
  const outcome = await store.consume({
    id: ticket.id,
    secretSha256: hashSecret(ticket.secret),
    attemptId: randomUUID(),
    gatewayId: 'gateway-1',
    path: fields.path ?? '/',
    bindAddress: false,
    maxConnections: 0,
    limitPolicy: 'refuse',
  });
  if (outcome.code !== 'admitted') throw new Error(outcome.code);
  return ticket;
}
