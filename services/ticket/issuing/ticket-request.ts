import { z } from 'zod';
import type { FieldError, Refusal } from '../../../shared/refusals.ts';
import { AUDIENCE, AUDIENCE_FORM } from '../../../shared/ticket/audience.ts';
import { type Claims, claimsFault } from '../../../shared/ticket/claims.ts';
import { pathFault } from '../../../shared/ticket/path.ts';
import { isSubject } from '../../../shared/ticket/ticket.ts';
import { utf8Json, utf8Text } from '../../../shared/utf8.ts';
import { fieldErrors, pointerTo } from '../answers/field-errors.ts';
import { inexactMembers } from './exact-numbers.ts';

/** What a caller may ask for. Every field is optional. */
export interface TicketRequest {
  readonly audience?: string | undefined;
  readonly path?: string | undefined;
  readonly claims?: Claims | undefined;
  readonly ttlSeconds?: number | undefined;
  readonly subject?: string | undefined;
}

export type ParsedTicketRequest =
  | { readonly ok: true; readonly asked: TicketRequest }
  | { readonly ok: false; readonly refusal: Refusal };

const MAX_PATH_LENGTH = 1_024;

const FIELDS = ['audience', 'path', 'claims', 'ttl_seconds', 'subject'];

const INEXACT = 'must not have a number that a double does not hold exactly; send it as a string';

/**
 * Reads the body of a `POST /tickets`.
 *
 * @param body its bytes, or what a parser of the application made of it
 */
export type TicketRequestParser = (body: unknown) => ParsedTicketRequest;

/** Makes a parser that reports every field that is out of bounds. Made once: building the schema is slow. */
export function createTicketRequestParser(maxTtlSeconds: number): TicketRequestParser {
  const schema = ticketRequestSchema(maxTtlSeconds);
  return (body) => {
    const { value, inexact } = readJson(body);
    if (value === undefined) return { ok: false, refusal: { code: 'request_malformed' } };
    const parsed = schema.safeParse(value);
    const errors = parsed.success ? [] : fieldErrors(parsed.error, FIELDS);
    errors.push(...inexact.filter(({ pointer }) => !errors.some((error) => error.pointer === pointer)));
    if (!parsed.success || errors.length > 0) return { ok: false, refusal: { code: 'request_invalid', errors } };
    const { audience, path, claims, ttl_seconds: ttlSeconds, subject } = parsed.data;
    return { ok: true, asked: { audience, path, claims, ttlSeconds, subject } };
  };
}

function readJson(body: unknown): { readonly value: unknown; readonly inexact: readonly FieldError[] } {
  if (!(body instanceof Uint8Array)) return { value: body ?? {}, inexact: [] };
  if (body.length === 0) return { value: {}, inexact: [] };
  const json = utf8Json(body);
  const value = typeof json === 'object' && json !== null ? json : undefined;
  const members = value === undefined ? [] : inexactMembers(utf8Text(body) ?? '');
  return { value, inexact: members.map((name) => ({ pointer: pointerTo([name]), detail: INEXACT })) };
}

function ticketRequestSchema(maxTtlSeconds: number) {
  const ttl = `must be a whole number from 1 to ${maxTtlSeconds} (seconds)`;
  const audience = `must be ${AUDIENCE_FORM}`;
  const subject = 'must be 1 to 256 characters without control characters';
  return z.strictObject(
    {
      audience: z.string({ error: audience }).regex(AUDIENCE, { error: audience }).optional(),
      path: z
        .string({ error: PATH_ERROR })
        .max(MAX_PATH_LENGTH, { error: PATH_ERROR })
        .superRefine(checkPath)
        .optional(),
      claims: z.unknown().optional().transform(checkedClaims),
      ttl_seconds: z.int({ error: ttl }).min(1, { error: ttl }).max(maxTtlSeconds, { error: ttl }).optional(),
      subject: z.string({ error: subject }).refine(isSubject, { error: subject }).optional(),
    },
    {
      error: `must be a JSON object with some of ${FIELDS.join(', ')}`,
    },
  );
}

const PATH_ERROR = `must be an absolute path of at most ${MAX_PATH_LENGTH} characters, percent-encoded as a browser sends it, without query or dot segments`;

/** Only a path that an upgrade may have, written as a browser writes it there, can ever equal one. */
function checkPath(path: string, context: z.RefinementCtx): void {
  const fault = pathFault(path);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  else if (new URL(`http://host${path}`).pathname !== path) context.addIssue({ code: 'custom', message: PATH_ERROR });
}

function checkedClaims(claims: unknown, context: z.RefinementCtx): Claims | undefined {
  if (claims === undefined) return undefined;
  const fault = claimsFault(claims);
  if (fault !== undefined) {
    context.addIssue({ code: 'custom', message: fault });
    return z.NEVER;
  }
  return claims as Claims; // claimsFault() found an object
}
