import type { FieldError } from '../../../shared/refusals.ts';
import { type ListPage, type ListPosition, MAX_PAGE } from '../../../shared/store/store.ts';
import { isTicketId } from '../../../shared/ticket/ticket.ts';

export type ParsedPage =
  | { readonly ok: true; readonly page: ListPage }
  | { readonly ok: false; readonly errors: FieldError[] };

const DEFAULT_PAGE = 50;

/** Reads which page of a list a request asks for: `limit` and `cursor` in its query. */
export function parsePage(url: string): ParsedPage {
  const query = new URLSearchParams(url.split('?').slice(1).join('?'));
  const [limit, after] = [parseLimit(query.getAll('limit')), parseCursors(query.getAll('cursor'))];
  const errors: FieldError[] = [];
  if (limit === null) errors.push({ pointer: '#/limit', detail: `must be a whole number from 1 to ${MAX_PAGE}` });
  if (after === null) errors.push({ pointer: '#/cursor', detail: 'must be the "next" of an answer, unchanged' });
  return limit === null || after === null ? { ok: false, errors } : { ok: true, page: { limit, after } };
}

function parseLimit([text, ...more]: readonly string[]): number | null {
  if (text === undefined) return DEFAULT_PAGE;
  const limit = /^[1-9]\d{0,2}$/.test(text) && more.length === 0 ? Number(text) : 0;
  return limit >= 1 && limit <= MAX_PAGE ? limit : null;
}

function parseCursors([text, ...more]: readonly string[]): ListPosition | undefined | null {
  if (text === undefined) return undefined;
  return more.length === 0 ? parseCursor(text) : null;
}

/** A position as a client gets it: opaque, so that its form can change. */
export function formatCursor({ id, issuedAt }: ListPosition): string {
  return Buffer.from(`${issuedAt}:${id}`).toString('base64url');
}

function parseCursor(cursor: string): ListPosition | null {
  const [, issuedAt, id = ''] = /^(\d{1,15}):(.*)$/s.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  const position = { id, issuedAt: Number(issuedAt) };
  return isTicketId(id) && formatCursor(position) === cursor ? position : null;
}
