import type { ScryptOptions } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** How many derivations run at once: one core is left for everything else, where there is more than one. */
export const SCRYPT_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));

interface Derivation {
  readonly password: string;
  readonly salt: Buffer;
  /** Bytes of the key. */
  readonly length: number;
  readonly options: ScryptOptions;
}

interface Job {
  readonly derivation: Derivation;
  readonly resolve: (key: Buffer) => void;
  readonly reject: (error: Error) => void;
}

type Reply = { readonly key: Uint8Array } | { readonly fault: string };

const waiting: Job[] = [];
const idle: Worker[] = [];
const busy = new Map<Worker, Job>();

/**
 * scrypt on threads of its own, in the order of the calls. Attack: `crypto.scrypt` fills the four threads of
 * libuv, behind which file reads, name look-ups and WebCrypto then wait.
 */
export function scryptOnThread(derivation: Derivation): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    waiting.push({ derivation, resolve, reject });
    startNext();
  });
}

function startNext(): void {
  if (waiting.length === 0 || busy.size >= SCRYPT_THREADS) return;
  const thread = idle.pop() ?? createThread();
  const job = waiting.shift();
  if (job === undefined) return;
  busy.set(thread, job);
  thread.ref();
  thread.postMessage(job.derivation);
}

function createThread(): Worker {
  // No options of the process: some of them, such as loaders, would be started once more.
  const thread = new Worker(new URL('./scrypt-thread.mjs', import.meta.url), { execArgv: [] });
  thread.on('message', (reply: Reply) => {
    const job = finish(thread);
    // An idle thread does not keep the process alive.
    thread.unref();
    idle.push(thread);
    if ('key' in reply) job?.resolve(Buffer.from(reply.key));
    else job?.reject(new Error(reply.fault));
    startNext();
  });
  thread.on('error', (error: Error) => {
    finish(thread)?.reject(error);
    startNext();
  });
  return thread;
}

function finish(thread: Worker): Job | undefined {
  const job = busy.get(thread);
  busy.delete(thread);
  return job;
}
