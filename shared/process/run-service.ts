import { parseArgs } from 'node:util';
import { CannotListen } from '../http/listen.ts';
import { loadSettings, type Rule, readEnvironment } from '../settings/load.ts';
import type { Settings } from '../settings/table.ts';
import { exitCodes } from './exit-codes.ts';
import { createLogger, type Logger } from './log.ts';

/** A service that listens. */
export interface RunningService {
  readonly port: number;
  readonly adminPort: number;
  /** Stops taking work, finishes what there is, and lets go of the ports. */
  drain(): Promise<void>;
  /** Tells whoever is still there that the process ends now. */
  abandon(): void;
}

export interface ServiceDefinition {
  readonly name: string;
  readonly rules: readonly Rule[];
  start(settings: Settings, log: Logger): Promise<Pick<RunningService, 'drain' | 'abandon'>>;
}

/** How long a Close frame has to get out before a process that was told twice is gone. */
const ABANDON_MS = 100;

/**
 * The life of a process: its configuration checked as a whole, the service started, a drain on
 * SIGTERM or SIGINT, a quick end on the second.
 */
export async function runService(definition: ServiceDefinition): Promise<void> {
  refuseArguments(definition.name);
  const loaded = loadSettings(readEnvironment(), definition.rules);
  if (!loaded.ok) {
    process.stderr.write(`${loaded.faults.join('\n')}\n`);
    process.exit(exitCodes.config);
  }
  const log = createLogger(loaded.settings.logLevel, { service: definition.name });
  process.on('uncaughtException', (error) => {
    log.error({ event: 'fault', message: error.message, stack: error.stack });
    process.exit(exitCodes.fault);
  });

  let service: Pick<RunningService, 'drain' | 'abandon'>;
  try {
    service = await definition.start(loaded.settings, log);
  } catch (error) {
    if (!(error instanceof CannotListen)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(exitCodes.unavailable);
  }

  let signalled = false;
  const onSignal = (signal: NodeJS.Signals, number: number): void => {
    if (signalled) {
      service.abandon();
      setTimeout(() => process.exit(128 + number), ABANDON_MS);
      return;
    }
    signalled = true;
    log.info({ event: 'stopping', signal });
    service.drain().then(() => {
      log.info({ event: 'stopped' });
      process.exit(exitCodes.ok);
    });
  };
  // Asks for files to be read again. A service that has none is not to end of it.
  process.on('SIGHUP', () => {});
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/** A service is configured by its environment alone. */
function refuseArguments(name: string): void {
  try {
    parseArgs({ args: process.argv.slice(2), options: {}, strict: true });
  } catch {
    process.stderr.write(`${name}: takes no arguments; it is configured by environment variables (docs/settings.md)\n`);
    process.exit(exitCodes.usage);
  }
}
