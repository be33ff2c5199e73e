import { Redis } from 'ioredis';
import { type ScriptName, scriptNames, scriptSource } from '../scripts.ts';
import { StoreUnavailable } from '../store.ts';
import { type Departure, GatheredWrites } from './gathered-writes.ts';
import { createClient, type RedisAddress, type RedisClient, streamsOf } from './redis-client.ts';
import type { Reply } from './replies.ts';

export interface RedisLinkOptions {
  readonly address: RedisAddress;
  /** How long an operation may take, in ms. After that it throws {@link StoreUnavailable}. */
  readonly timeoutMs: number;
  /** Called when Redis goes down and when it is back. */
  readonly onChange?: (available: boolean, reason: string) => void;
  /** Called with an error that Redis returned, such as NOPERM, OOM or that of a script. At most once a second. */
  readonly onError?: (message: string) => void;
}

type RunScript = (keyCount: number, ...keysAndArguments: Array<string | number>) => Promise<Reply>;

const ERROR_EVERY_MS = 1_000;
const PULSE_EVERY_MS = 1_000;

/**
 * A connection to Redis that fails closed and fast.
 *
 * - While Redis is down nothing is queued, and no command that was in flight is sent again.
 * - Each operation has a deadline. A command that timed out is not cancelled and may still run, so its outcome
 *   is unknown.
 * - After a time-out every operation fails at once until a PING on the same connection is answered. Redis
 *   answers in order, so it has caught up by then.
 */
export class RedisLink {
  readonly #client: RedisClient;
  readonly #timeoutMs: number;
  readonly #onChange: (available: boolean, reason: string) => void;
  readonly #onError: (message: string) => void;
  readonly #scripts: Record<ScriptName, RunScript>;
  readonly #writes: GatheredWrites;
  #catchingUp = false;
  /** What onChange was last called with. */
  #available: boolean | undefined;
  #ended = false;
  #lastError = '';
  #quietUntil = 0;
  readonly #pulse: NodeJS.Timeout;

  constructor(options: RedisLinkOptions) {
    this.#timeoutMs = options.timeoutMs;
    this.#onChange = options.onChange ?? (() => {});
    this.#onError = options.onError ?? (() => {});
    this.#client = createClient(options.address);
    this.#scripts = defineScripts(this.#client);
    this.#writes = new GatheredWrites(() => streamsOf(this.#client));
    this.#client.on('error', (error: Error) => {
      this.#lastError = messageOf(error);
      this.#changed();
    });
    this.#client.on('ready', () => this.#changed());
    this.#client.on('close', () => this.#changed());
    this.#pulse = setInterval(() => this.#feelPulse(), PULSE_EVERY_MS);
    this.#pulse.unref();
  }

  /** Whether an operation would be sent now. */
  get ready(): boolean {
    return this.#client.status === 'ready' && !this.#catchingUp && !this.#ended;
  }

  /** Runs one script. `keys` must have every key that it touches. */
  script(name: ScriptName, keys: readonly string[], values: ReadonlyArray<string | number>): Promise<Reply> {
    return this.run(() => this.#scripts[name](keys.length, ...keys, ...values));
  }

  /** Runs one operation within the time-out. */
  async run<T>(operation: (client: RedisClient) => Promise<T>): Promise<T> {
    if (!this.ready) throw new StoreUnavailable(`Redis is down: ${this.#lastError || 'not connected yet'}`);
    try {
      const departure = this.#writes.gather(performance.now());
      return await this.#inTime(operation(this.#client), departure);
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      const message = messageOf(error);
      this.#lastError = message;
      this.#report(message);
      throw new StoreUnavailable(`Redis failed: ${message}`, { mayHaveRun: true });
    }
  }

  /** Sends a script without waiting for its answer, even while Redis is catching up. */
  sendOff(name: ScriptName, keys: readonly string[], values: ReadonlyArray<string | number>): void {
    if (this.#client.status === 'ready') this.#scripts[name](keys.length, ...keys, ...values).catch(() => {});
  }

  /** Subscribes to a channel on a connection of its own, again after each reconnect. */
  subscribe(channel: string, onMessage: (message: string) => void): { end(): void } {
    const client = this.#client;
    // The two overloads cannot be called on the union.
    const subscriber = client instanceof Redis ? client.duplicate() : client.duplicate();
    subscriber.on('error', () => {});
    const fail = (error: unknown): void => this.#onError(`cannot hear commands: ${messageOf(error)}`);
    subscriber.on('ready', () => void subscriber.subscribe(channel).catch(fail));
    subscriber.on('message', (_channel: string, message: string) => onMessage(message));
    return { end: () => subscriber.disconnect() };
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#pulse);
    this.#client.disconnect();
  }

  #inTime<T>(answer: Promise<T>, departure: Departure): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const overdue = () => {
        // In a busy process the gathered commands may have left only now.
        const underWayMs = departure.at === undefined ? 0 : performance.now() - departure.at;
        if (underWayMs < this.#timeoutMs) {
          timer = setTimeout(overdue, Math.ceil(this.#timeoutMs - underWayMs));
          return;
        }
        // One more turn of the event loop: if this process was busy, the answer is in the socket already.
        setImmediate(() => {
          if (settled) return;
          reject(new StoreUnavailable(`Redis did not answer within ${this.#timeoutMs} ms`, { mayHaveRun: true }));
          this.#catchUp();
        });
      };
      let timer = setTimeout(overdue, this.#timeoutMs);
      let settled = false;
      const settle = (): void => {
        settled = true;
        clearTimeout(timer);
      };
      answer.then(
        (value) => {
          settle();
          resolve(value);
        },
        (error: unknown) => {
          settle();
          reject(error);
        },
      );
    });
  }

  #catchUp(): void {
    if (this.#catchingUp) return;
    this.#catchingUp = true;
    this.#lastError = `no answer within ${this.#timeoutMs} ms`;
    this.#changed();
    const over = (): void => {
      this.#catchingUp = false;
      this.#changed();
    };
    this.#client.ping().then(over, over);
  }

  /** A PING that times out shows a hung Redis, even if there are no other operations. */
  #feelPulse(): void {
    if (this.ready) this.run((client) => client.ping()).catch(() => {});
  }

  #report(message: string): void {
    const now = performance.now();
    // A broken connection is reported by onChange.
    if (!this.ready || now < this.#quietUntil) return;
    this.#quietUntil = now + ERROR_EVERY_MS;
    this.#onError(message);
  }

  #changed(): void {
    if (this.ready === this.#available || this.#ended) return;
    this.#available = this.ready;
    this.#onChange(this.#available, this.#available ? 'Redis answers' : this.#lastError || 'the connection was closed');
  }
}

/**
 * The part of an error that may be logged. The error of ioredis has the arguments of the command, and the
 * message of Redis for an unknown command repeats them.
 */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : 'unknown';
  return message.replace(/,? with args beginning with.*$/s, '');
}

/** ioredis sends a script in full once for each connection, and by its SHA-1 after that. */
function defineScripts(client: RedisClient): Record<ScriptName, RunScript> {
  const commands = client as unknown as Record<ScriptName, RunScript>; // defineCommand adds methods that no type declares
  const scripts: Partial<Record<ScriptName, RunScript>> = {};
  for (const name of scriptNames) {
    const command = `oncegate:${name}` as ScriptName; // no Redis command has this name
    client.defineCommand(command, { lua: scriptSource(name) });
    scripts[name] = (keyCount, ...rest) => commands[command](keyCount, ...rest);
  }
  return scripts as Record<ScriptName, RunScript>; // the loop has filled every name
}
