/**
 * Everything that the bench starts registers here how it is stopped, the last first. That happens at the end, on a
 * failure and on Ctrl-C alike.
 */
const duties = new Set();

/**
 * @param {() => void | Promise<void>} duty
 * @returns {() => Promise<void>} does it now, once
 */
export function atEnd(duty) {
  duties.add(duty);
  return async () => {
    if (duties.delete(duty)) await duty();
  };
}

let underWay;

/**
 * Does all that is left. One that fails does not keep the others from being done. Whoever asks while that is under way
 * waits for it: what is being ended fails in its turn, and the process must not exit before all is done.
 */
export function cleanUp() {
  underWay ??= doAll().finally(() => {
    underWay = undefined;
  });
  return underWay;
}

async function doAll() {
  // More may be started while the rest is being stopped.
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
  // Whoever read along may have gone away, and then there is nowhere to say so.
  process.stderr.on('error', () => {});
  process.stderr.write(`bench: ${error.stack}\n`);
  end(1);
});
