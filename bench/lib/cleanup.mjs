/**
 * Everything that the bench starts registers here how it is stopped, the last first. That happens at the end, on a
 * failure and on Ctrl-C alike; a process that is killed outright leaves only what the kernel takes back by itself.
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

/** Does all that is left. One that fails does not keep the others from being done. */
export async function cleanUp() {
  for (const duty of [...duties].reverse()) {
    duties.delete(duty);
    await Promise.resolve()
      .then(duty)
      .catch((error) => process.stderr.write(`bench: ${error.message}\n`));
  }
}

for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
]) {
  process.once(signal, () => cleanUp().then(() => process.exit(128 + number)));
}
