/** A ticket's record, as `GET /tickets/<id>` shows it. */
export interface TicketRecord {
  readonly id: string;
  readonly subject: string;
  readonly state: 'issued' | 'open' | 'handed_over' | 'closed' | 'refused' | 'expired' | 'revoked';
  readonly issued_at: string;
  readonly expires_at: string;
  readonly opened_at: string | null;
  readonly closed_at: string | null;
  readonly session_expires_at: string | null;
  readonly gateway: string | null;
  readonly close: { readonly code: number; readonly reason: string } | null;
  readonly attempts: number;
  readonly last_attempt: { readonly at: string; readonly outcome: string; readonly status: number } | null;
}
