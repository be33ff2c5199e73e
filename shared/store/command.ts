import { z } from 'zod';
import { storeCloseReasons } from '../close-codes.ts';
import { isTicketId } from '../ticket/ticket.ts';
import type { GatewayCommand } from './store.ts';

const ticketId = z.string().refine(isTicketId);

const schema = z.discriminatedUnion('command', [
  z.object({ command: z.literal('close'), ticket_id: ticketId, reason: z.enum(storeCloseReasons) }),
  z.object({ command: z.literal('renew'), ticket_id: ticketId, session_expires_at: z.int().positive() }),
]);

/** Parses a message of the control channel. @returns null if it is not a command */
export function parseCommand(message: string): GatewayCommand | null {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return null;
  }
  return schema.safeParse(value).data ?? null;
}
