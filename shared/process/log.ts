import { type DestinationStream, type Logger, pino } from 'pino';
import { VERSION } from '../version.ts';
import { GatheredLines } from './gathered-lines.ts';

export type { Logger };

/** With so many unwritten bytes, lines are dropped until there is room again. */
const MAX_UNWRITTEN_BYTES = 1_048_576;

/**
 * JSON lines on stdout. A line has ids and codes, never a ticket value, a secret or a header. So fields are
 * logged one by one, and no request or error object is ever logged whole.
 */
export function createLogger(level: string, fields: Readonly<Record<string, string>>): Logger {
  const options = {
    level,
    base: { ...fields, version: VERSION },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  output ??= standardOutput();
  return pino(options, output);
}

/** Logs a fault. Only its message, because an error's other properties may hold secrets. */
export function logFault(log: Logger, error: unknown): void {
  log.error({ event: 'fault', message: error instanceof Error ? error.message : 'unknown' });
}

let output: DestinationStream | undefined;

/**
 * Standard output, written in the background. A log that cannot be written, for example on a full disk, costs
 * lines and nothing else. Without the error handler, pino's last flush would wait for room for ever.
 */
function standardOutput(): DestinationStream {
  const destination = pino.destination({ dest: 1, sync: false, maxLength: MAX_UNWRITTEN_BYTES });
  destination.on('error', () => {
    destination.flushSync = () => {};
  });
  const lines = new GatheredLines(destination);
  // A process that ends by itself has time for an asynchronous write. `process.exit` leaves none.
  process.on('beforeExit', () => lines.flush());
  process.on('exit', () => {
    Object.assign(destination, { sync: true });
    lines.end();
  });
  return lines;
}
