import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What has to be stopped or removed before the bench exits: at its end, after a failure and on Ctrl-C alike. The last
 * one registered goes first.
 */
const duties = new Set();

/**
 * Registers a duty for the end of the bench.
 *
 * @param {() => void | Promise<void>} duty
 * @returns {() => Promise<void>} a function that does it now; it is done only once
 */
export function atEnd(duty) {
  duties.add(duty);
  return async () => {
    if (duties.delete(duty)) await duty();
  };
}

/**
 * Makes a temporary folder. It is removed at the end of the bench, or earlier by `remove`.
 *
 * @returns {{ path: string, remove: () => Promise<void> }}
 */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), 'oncegate-bench-'));
  return { path, remove: atEnd(() => rmSync(path, { recursive: true, force: true })) };
}

let underWay;

/**
 * Does all duties that are left. A duty that fails does not stop the others.
 * A second caller waits for the same run: the process must not exit before all is done.
 */
export function cleanUp() {
  underWay ??= doAll().finally(() => {
    underWay = undefined;
  });
  return underWay;
}

async function doAll() {
  // A duty may be registered while others are being done.
  for (let duty = [...duties].at(-1); duty !== undefined; duty = [...duties].at(-1)) {
    duties.delete(duty);
    await Promise.resolve()
      .then(duty)
      .catch((error) => process.stderr.write(`bench: ${error.message}\n`));
  }
}

async function end(exitCode) {
  await cleanUp();
  process.exit(exitCode);
}

process.once('SIGHUP', () => end(128 + 1));
process.once('SIGINT', () => end(128 + 2));
process.once('SIGTERM', () => end(128 + 15));
process.on('uncaughtException', (error) => {
  // The reader of this output may have gone away; then the message is lost.
  process.stderr.on('error', () => {});
  process.stderr.write(`bench: ${error.stack}\n`);
  end(1);
});
