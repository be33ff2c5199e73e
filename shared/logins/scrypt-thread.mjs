import { scryptSync } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

// A thread of scrypt-threads.ts. It is JavaScript, so that Node runs it as it is from the sources too.
parentPort.on('message', ({ password, salt, length, options }) => {
  try {
    parentPort.postMessage({ key: scryptSync(password, salt, length, options) });
  } catch (error) {
    parentPort.postMessage({ fault: error.message });
  }
});
