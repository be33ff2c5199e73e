import { MAX_HEADERS } from '../../../shared/http/whole-head.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { type Carrier, idSegment } from '../../../shared/ticket/carriers.ts';
import { pathFault } from '../../../shared/ticket/path.ts';
import { TICKET_ID, TICKET_PREFIX, type Ticket } from '../../../shared/ticket/ticket.ts';
import { type PresentedTicket, takeTicket, ticketsIn } from './carriers.ts';
import { countHeaders, type HeaderGroups, onlyOne } from './headers.ts';
import { parseSubprotocols } from './subprotocols.ts';

/** An upgrade request as it arrived, unchecked. */
export interface UpgradeRequest {
  readonly method: string;
  /** The request target (RFC 9112 §3.2). */
  readonly target: string;
  readonly httpVersion: string;
  readonly headers: HeaderGroups;
  /** How many bytes followed the request. */
  readonly earlyBytes: number;
  /** Whether an earlier request came on the same socket. Its answer may not be written yet. */
  readonly pipelined: boolean;
  /** A proxy asks about the client's request, and may have removed headers of one version of HTTP, such as `Upgrade`. */
  readonly upgradeTakenOff?: true;
}

/** An upgrade request that is well-formed (RFC 6455 §4.2.1). */
export interface Handshake {
  /** Without the `/~<ticket id>` segment. */
  readonly path: string;
  /** Without the ticket; empty if there is no query. */
  readonly query: string;
  readonly host: string;
  readonly origin: string | undefined;
  /** `Sec-WebSocket-Key`; empty if a proxy asks about a client that sends none. */
  readonly key: string;
  /** `Sec-WebSocket-Extensions`, as they were offered. */
  readonly extensions: string | undefined;
  /** Without the ticket. */
  readonly protocols: readonly string[];
  readonly presented: PresentedTicket;
}

export type ParsedHandshake =
  | { readonly ok: true; readonly handshake: Handshake }
  | { readonly ok: false; readonly refusal: Refusal };

/** `/~<ticket id>`: gives each attempt its own path, and is removed before the path is used. */
export const ID_SEGMENT = new RegExp(`^${idSegment(TICKET_ID)}(?=/|$)`);

/** Node's default limit for a whole head. Headers may be longer, since a page may have many cookies. */
const MAX_TARGET_LENGTH = 16_384;

/** Visible ASCII without `#` and `\\`. Other characters must be percent-encoded (RFC 3986 §2). */
const TARGET = /^[!-"$-[\]-~]+$/;
/**
 * The text of a ticket in a path, which is no carrier. There it would reach logs and the back end. A proxy that
 * removes it from the target would connect to another path than the one that was judged. Percent-encoded it has two
 * readings, which are refused before.
 */
const TICKET_TEXT = new RegExp(`${TICKET_PREFIX}${TICKET_ID}\\.`);
const BASE64_OF_16_BYTES = /^[+/0-9A-Za-z]{22}==$/;

const MALFORMED: ParsedHandshake = { ok: false, refusal: { code: 'handshake_malformed' } };
const TICKET_IN_PATH: ParsedHandshake = {
  ok: false,
  refusal: { code: 'handshake_malformed', detail: 'A ticket is in the path: present it in the subprotocol.' },
};
const UPGRADE_REQUIRED: ParsedHandshake = { ok: false, refusal: { code: 'upgrade_required' } };

/** Checks and reads an upgrade request, the cheapest check first. */
export function parseHandshake(request: UpgradeRequest, carriers: readonly Carrier[]): ParsedHandshake {
  if (request.httpVersion !== '1.1' || request.earlyBytes > 0 || request.pipelined) return MALFORMED;
  if (request.method !== 'GET') return { ok: false, refusal: { code: 'method_not_allowed', allow: ['GET'] } };
  const { headers } = request;
  if (countHeaders(headers) > MAX_HEADERS) return MALFORMED;

  const only = (name: string): string | undefined => onlyOne(headers, name);
  const atMostOne = (name: string): boolean => (headers.get(name)?.length ?? 0) <= 1;

  const host = only('host');
  if (!host || !/^[!-~]{1,300}$/.test(host)) return MALFORMED;
  if (headers.has('transfer-encoding') || (headers.has('content-length') && only('content-length') !== '0'))
    return MALFORMED;

  const takenOff = (name: string): boolean => request.upgradeTakenOff === true && !headers.has(name);
  if (['upgrade', 'sec-websocket-key', 'sec-websocket-version'].every(takenOff)) return UPGRADE_REQUIRED;
  if (only('upgrade')?.toLowerCase() !== 'websocket' && !takenOff('upgrade'))
    return headers.has('upgrade') ? UPGRADE_REQUIRED : MALFORMED;
  const version = only('sec-websocket-version');
  if (version === undefined) return MALFORMED;
  if (version !== '13') return UPGRADE_REQUIRED;
  const key = only('sec-websocket-key') ?? '';
  // Over HTTP/2 and HTTP/3 a client sends none (RFC 8441 §5.1), and the answer to a proxy's question needs none.
  if (!BASE64_OF_16_BYTES.test(key) && !takenOff('sec-websocket-key')) return MALFORMED;
  if (!atMostOne('origin') || !atMostOne('authorization')) return MALFORMED;

  if (request.target.length > MAX_TARGET_LENGTH) return MALFORMED;
  const [path = '', ...queries] = request.target.split('?');
  // Origin-form only, and one that every server behind the gateway reads alike.
  if (!TARGET.test(request.target) || pathFault(path) !== undefined) return MALFORMED;
  if (TICKET_TEXT.test(path)) return TICKET_IN_PATH;

  const protocols = parseSubprotocols(headers.get('sec-websocket-protocol')?.join(','));
  if (protocols === null) return MALFORMED;

  const taken = takeTicket({ query: queries.join('?'), protocols, authorization: only('authorization') }, carriers);
  if (taken === null) return MALFORMED;

  const rest = path.replace(ID_SEGMENT, '');
  const extensions = headers.get('sec-websocket-extensions')?.join(', ');
  return { ok: true, handshake: { ...taken, path: rest || '/', host, origin: only('origin'), key, extensions } };
}

/** What is needed of a refused request to note the refusal on the records of its tickets. */
export function readRefused({ target, headers }: Pick<UpgradeRequest, 'target' | 'headers'>): {
  readonly tickets: readonly Ticket[];
  readonly origin: string | undefined;
} {
  const [, ...queries] = target.split('?');
  const protocols = headers.get('sec-websocket-protocol')?.join(',').split(',') ?? [];
  const carriers = { query: queries.join('?'), protocols: protocols.map((protocol) => protocol.trim()) };
  const tickets = ticketsIn(carriers, headers.get('authorization') ?? []);
  return { tickets, origin: onlyOne(headers, 'origin') };
}
