import { z } from 'zod';
import type { FieldError } from '../../../shared/refusals.ts';
import { AUDIENCE, AUDIENCE_FORM } from '../../../shared/ticket/audience.ts';
import { type Claims, claimsFault } from '../../../shared/ticket/claims.ts';
import { pathFault } from '../../../shared/ticket/path.ts';
import { isSubject } from '../../../shared/ticket/ticket.ts';

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
  | { readonly ok: false; readonly errors: FieldError[] };

const MAX_PATH_LENGTH = 1_024;

const FIELDS = 'audience, path, claims, ttl_seconds, subject';

/** Reads the body of a `POST /tickets`. */
export type TicketRequestParser = (body: unknown) => ParsedTicketRequest;

/** Makes a parser that reports every field that is out of bounds. Made once: building the schema is slow. */
export function createTicketRequestParser(maxTtlSeconds: number): TicketRequestParser {
  const schema = ticketRequestSchema(maxTtlSeconds);
  return (body) => {
    const parsed = schema.safeParse(body ?? {});
    if (!parsed.success) return { ok: false, errors: parsed.error.issues.map(fieldError) };
    const { audience, path, claims, ttl_seconds: ttlSeconds, subject } = parsed.data;
    return { ok: true, asked: { audience, path, claims, ttlSeconds, subject } };
  };
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
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `has a field that is not known; the fields are ${FIELDS}`
          : `must be a JSON object with some of ${FIELDS}`,
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

function fieldError(issue: { path: PropertyKey[]; message: string }): FieldError {
  return { pointer: ['#', ...issue.path.map(String)].join('/'), detail: issue.message };
}
