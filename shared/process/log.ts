import { type DestinationStream, type Logger, pino } from 'pino';
import { VERSION } from '../version.ts';

export type { Logger };

/** Past it lines are dropped until there is room again. */
const MAX_UNWRITTEN_BYTES = 1_048_576;

/** Lines are written together: a write of its own for each took a fifth of the CPU of an admitted handshake. */
const WRITE_FROM_BYTES = 32_768;
/** How long a line waits for others at the most, ms. */
const WRITE_AFTER_MS = 100;

/**
 * JSON lines on stdout. A line names ids and codes, never a ticket value, a secret or a header: what
 * is logged is chosen field by field, and no request or error object is ever passed in whole.
 */
export function createLogger(level: string, fields: Readonly<Record<string, string>>): Logger {
  const options = {
    level,
    base: { ...fields, version: VERSION },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, standardOutput());
}

/**
 * Standard output, written to in the background. A log that cannot be written, on a full disk say, costs
 * lines and nothing else: the flush with which pino ends a process would wait for room for ever.
 */
function standardOutput(): DestinationStream {
  const destination = pino.destination({
    dest: 1,
    sync: false,
    minLength: WRITE_FROM_BYTES,
    maxWrite: 2 * WRITE_FROM_BYTES,
    periodicFlush: WRITE_AFTER_MS,
    maxLength: MAX_UNWRITTEN_BYTES,
  });
  destination.on('error', () => {
    destination.flushSync = () => {};
  });
  return destination;
}
