import { z } from 'zod';
import { parseJsonFile } from '../../../shared/files/json-file.ts';
import type { ParsedFile } from '../../../shared/files/watched-file.ts';
import type { Refusal } from '../../../shared/refusals.ts';
import { AUDIENCE } from '../../../shared/ticket/audience.ts';
import { type Claims, claimsFault } from '../../../shared/ticket/claims.ts';
import { decodedPath } from '../../../shared/ticket/path.ts';
import { pathSchema } from '../../../shared/ticket/path-schema.ts';
import { fitsPattern } from '../../../shared/ticket/pattern.ts';
import type { TicketRequest } from './ticket-request.ts';

const subjectPattern = z.string().min(1).max(256).describe('A subject, in which * stands for any run of characters.');
const pathPattern = pathSchema.max(1_024).describe('A path, in which * stands for any run of characters.');
const claims = z.preprocess(
  (value, context) => {
    // Checked before zod parses it: a zod record drops a key named __proto__ silently.
    const fault = claimsFault(value);
    if (fault === undefined) return value;
    context.addIssue({ code: 'custom', message: fault });
    return {};
  },
  z.record(z.string(), z.unknown()),
);

const ruleSchema = z.strictObject({
  subjects: z.array(subjectPattern).min(1).describe('Whom the rule is for.'),
  audiences: z
    .array(z.string().regex(AUDIENCE))
    .min(1)
    .optional()
    .describe(
      'The audiences that may be asked for. A ticket without one gets it where there is only one. Absent: any.',
    ),
  paths: z.array(pathPattern).min(1).optional().describe('The paths that may be asked for; one must be. Absent: any.'),
  max_ttl_seconds: z.int().min(1).max(300).optional().describe('The longest time to live.'),
  add_claims: claims
    .optional()
    .describe('Claims that every ticket gets. They replace those of the credentials with the same name.'),
  drop_claims: z.array(z.string().min(1)).optional().describe('Claims that are taken out of what was asked for.'),
});

/** The schema of a policy file, as it is published in docs/policy.schema.json. */
export const policySchema = z.strictObject({
  $schema: z.string().optional(),
  rules: z
    .array(ruleSchema)
    .min(1)
    .describe('The first rule that fits the subject decides. Without one the subject gets no ticket.'),
});

export type Policy = z.infer<typeof policySchema>;

/** Reads a policy file. Each fault begins with its path in the file. */
export function parsePolicy(content: string): ParsedFile<Policy> {
  return parseJsonFile(policySchema, content);
}

export type Judged =
  /** `granted.claims` is what is left of the claims that were asked for. */
  | { readonly ok: true; readonly granted: TicketRequest; readonly addedClaims?: Claims | undefined }
  | { readonly ok: false; readonly refusal: Refusal };

/** What a subject is granted of what it asked for. The first rule whose pattern matches the subject decides. */
export function applyPolicy(policy: Policy | undefined, subject: string, asked: TicketRequest): Judged {
  if (policy === undefined) return { ok: true, granted: asked };
  const rule = policy.rules.find(({ subjects }) => subjects.some((pattern) => fitsPattern(subject, pattern)));
  if (rule === undefined)
    return {
      ok: false,
      refusal: { code: 'subject_refused', detail: 'No rule of the ticket policy is for this subject.' },
    };

  const audience = asked.audience ?? (rule.audiences?.length === 1 ? rule.audiences[0] : undefined);
  if (rule.audiences !== undefined && (audience === undefined || !rule.audiences.includes(audience))) {
    return {
      ok: false,
      refusal: { code: 'audience_refused', detail: 'The ticket policy does not allow this audience.' },
    };
  }
  const { path } = asked;
  if (rule.paths !== undefined && (path === undefined || !rule.paths.some((pattern) => fitsPath(path, pattern)))) {
    return {
      ok: false,
      refusal: {
        code: 'path_refused',
        detail: 'The ticket policy does not allow this path. Ask for one that it does.',
      },
    };
  }
  const longest = rule.max_ttl_seconds;
  const ttlSeconds = longest === undefined ? asked.ttlSeconds : Math.min(asked.ttlSeconds ?? longest, longest);
  return {
    ok: true,
    granted: { ...asked, audience, ttlSeconds, claims: without(asked.claims, rule.drop_claims) },
    addedClaims: rule.add_claims,
  };
}

/** A back end may decode the path, or cut path parameters off: it has to fit as that back end reads it, too. */
function fitsPath(path: string, pattern: string): boolean {
  return fitsPattern(path, pattern) && fitsPattern(decodedPath(path), decodedPath(pattern));
}

function without(claims: Claims | undefined, dropped: readonly string[] = []): Claims | undefined {
  return claims && Object.fromEntries(Object.entries(claims).filter(([name]) => !dropped.includes(name)));
}
