import { createHash, timingSafeEqual } from 'node:crypto';
import { nanoid } from 'nanoid';
import { z } from 'zod';
import { AUDIENCE } from '../ticket/audience.ts';
import { isSubject } from '../ticket/ticket.ts';

/**
 * API keys of back ends. A key is `ogk_<id>.<secret>`, and the file holds only the SHA-256 of the secret. The
 * secret has 192 random bits, so it needs no slow hash.
 */

const VALUE = /^ogk_([A-Za-z0-9_-]{12})\.([A-Za-z0-9_-]{32})$/;

const keySchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{12}$/),
  /** Who uses the key; also the subject of tickets that it issues for itself. */
  name: z.string().refine(isSubject),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  created_at: z.iso.datetime(),
  /** Patterns of subjects that it may issue tickets for, besides its own name. */
  subjects: z.array(z.string().min(1).max(256)).optional(),
  /** The audiences that its tickets may have; any if absent. */
  audiences: z.array(z.string().regex(AUDIENCE)).min(1).optional(),
});

const fileSchema = z.strictObject({ keys: z.array(keySchema) });

export type ApiKey = z.infer<typeof keySchema>;

export type ParsedApiKeys =
  | { readonly ok: true; readonly keys: readonly ApiKey[] }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Reads a keys file; an empty one has no keys. */
export function parseApiKeys(content: string): ParsedApiKeys {
  if (content.trim() === '') return { ok: true, keys: [] };
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    return { ok: false, faults: ['must be JSON, as `oncegate keys add` writes it'] };
  }
  const parsed = fileSchema.safeParse(value);
  if (parsed.success) return { ok: true, keys: parsed.data.keys };
  return {
    ok: false,
    faults: parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'} is not valid`),
  };
}

export function formatApiKeys(keys: readonly ApiKey[]): string {
  return `${JSON.stringify({ keys }, null, 2)}\n`;
}

/** A new key: its value, to be shown once, and its entry for the file. */
export function mintApiKey(
  name: string,
  limits: Pick<ApiKey, 'subjects' | 'audiences'>,
  now: Date,
): { readonly value: string; readonly key: ApiKey } {
  const id = nanoid(12).replace(/^-/, '_'); // `oncegate keys revoke <id>` would read it as an option
  const secret = nanoid(32);
  return {
    value: `ogk_${id}.${secret}`,
    key: { id, name, sha256: sha256(secret), created_at: now.toISOString(), ...limits },
  };
}

/** Whether a token is meant as an API key, even if it is cut off. Nothing else may read or log it. */
export function isApiKey(token: string): boolean {
  return token.startsWith('ogk_');
}

/** The key that a value belongs to, compared in constant time; undefined if there is none. */
export function findApiKey(value: string, keys: readonly ApiKey[]): ApiKey | undefined {
  const [, id, secret = ''] = VALUE.exec(value) ?? [];
  const key = keys.find((candidate) => candidate.id === id);
  if (key === undefined) return undefined;
  return timingSafeEqual(Buffer.from(sha256(secret)), Buffer.from(key.sha256)) ? key : undefined;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
