import type { z } from 'zod';
import type { ParsedFile } from './watched-file.ts';

/** Parses JSON with a schema; each fault begins with its path in the file. */
export function parseJsonFile<T>(schema: z.ZodType<T>, content: string): ParsedFile<T> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    return { ok: false, faults: [`must be JSON: ${error instanceof Error ? error.message : 'unreadable'}`] };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  return {
    ok: false,
    faults: parsed.error.issues.map(
      (issue) => `${issue.path.length === 0 ? 'the file' : issue.path.join('.')}: ${issue.message}`,
    ),
  };
}
