import { type Logger, pino } from 'pino';
import { VERSION } from '../version.ts';

export type { Logger };

/**
 * JSON lines on stdout. A line names ids and codes, never a ticket value, a secret or a header: what
 * is logged is chosen field by field, and no request or error object is ever passed in whole.
 */
export function createLogger(level: string, fields: Readonly<Record<string, string>>): Logger {
  return pino({
    level,
    base: { ...fields, version: VERSION },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
