import { type DestinationStream, type Logger, pino } from 'pino';
import { VERSION } from '../version.ts';
import { GatheredLines } from './gathered-lines.ts';

export type { Logger };

/** Past it lines are dropped until there is room again. */
const MAX_UNWRITTEN_BYTES = 1_048_576;

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
  output ??= standardOutput();
  return pino(options, output);
}

/** Writes down a fault of ours: its message alone, since an error may carry what nobody is to read. */
export function logFault(log: Logger, error: unknown): void {
  log.error({ event: 'fault', message: error instanceof Error ? error.message : 'unknown' });
}

let output: DestinationStream | undefined;

/**
 * Standard output, written to in the background. A log that cannot be written, on a full disk say, costs
 * lines and nothing else: the flush with which pino ends a process would wait for room for ever.
 */
function standardOutput(): DestinationStream {
  const destination = pino.destination({ dest: 1, sync: false, maxLength: MAX_UNWRITTEN_BYTES });
  destination.on('error', () => {
    destination.flushSync = () => {};
  });
  const lines = new GatheredLines(destination);
  // A process that ends by itself has time for an ordinary write; one that is ended has not.
  process.on('beforeExit', () => lines.flush());
  process.on('exit', () => {
    Object.assign(destination, { sync: true });
    lines.end();
  });
  return lines;
}
