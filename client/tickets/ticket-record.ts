/** What the client needs of `GET /tickets/<id>` and of `POST /tickets/<id>/renew`. Times are RFC 3339. */
export interface TicketRecord {
  readonly id: string;
  readonly state: 'issued' | 'open' | 'handed_over' | 'closed' | 'refused' | 'expired' | 'revoked';
  readonly opened_at: string | null;
  /** When the gateway ends the connection, unless the session is renewed. */
  readonly session_expires_at: string | null;
  readonly close: { readonly code: number; readonly reason: string } | null;
  readonly last_attempt: { readonly outcome: string; readonly status?: number | undefined } | null;
}
