import { parseArgs } from 'node:util';
import { CannotListen } from '../http/listen.ts';
import { findingsOf, textOf } from '../settings/checks.ts';
import { loadSettings, type Rule, readEnvironment } from '../settings/load.ts';
import type { Settings } from '../settings/table.ts';
import { exitCodes } from './exit-codes.ts';
import { createLogger, type Logger } from './log.ts';
import { openFilesLimit } from './open-files.ts';

/** A service that listens. */
export interface RunningService {
  readonly port: number;
  readonly adminPort: number;
  /** Stops taking new work, finishes what there is, and closes the ports. */
  drain(): Promise<void>;
  /** Tells every client that is left that the process ends now. */
  abandon(): void;
}

export interface ServiceDefinition {
  readonly name: string;
  readonly rules: readonly Rule[];
  start(settings: Settings, log: Logger): Promise<Pick<RunningService, 'drain' | 'abandon'>>;
}

/** How long Close frames have to be written after the second signal, before the process exits. */
const ABANDON_MS = 100;

/**
 * Runs a process: checks the whole configuration, starts the service, drains on SIGTERM or SIGINT, and exits
 * at once on a second signal.
 */
export async function runService(definition: ServiceDefinition): Promise<void> {
  refuseArguments(definition.name);
  const environment = readEnvironment();
  const loaded = loadSettings(environment, definition.rules);
  if (!loaded.ok) {
    process.stderr.write(`${loaded.faults.join('\n')}\n`);
    process.exit(exitCodes.config);
  }
  const log = createLogger(loaded.settings.logLevel, { service: definition.name });
  process.on('uncaughtException', (error) => {
    log.error({ event: 'fault', message: error.message, stack: error.stack });
    process.exit(exitCodes.fault);
  });

  const surroundings = { environment, now: Date.now(), openFiles: openFilesLimit() };
  for (const { event, setting, ...finding } of findingsOf(loaded.settings, surroundings)) {
    log.warn({ event, setting }, textOf(finding));
  }

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
  // SIGHUP has files read again. Without a listener it would end a service that has none.
  process.on('SIGHUP', () => {});
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/** A service takes its configuration from the environment only. */
function refuseArguments(name: string): void {
  try {
    parseArgs({ args: process.argv.slice(2), options: {}, strict: true });
  } catch {
    process.stderr.write(`${name}: takes no arguments; it is configured by environment variables (docs/settings.md)\n`);
    process.exit(exitCodes.usage);
  }
}
