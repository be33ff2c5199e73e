import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { onTestFinished, test } from 'vitest';
import { RedisLink, type RedisLinkOptions } from '../../../../shared/store/redis/redis-link.ts';
import { RedisStore } from '../../../../shared/store/redis/redis-store.ts';
import type { Reply } from '../../../../shared/store/redis/replies.ts';
import { type ScriptName, scriptSource } from '../../../../shared/store/scripts.ts';
import type { StoreOptions } from '../../../../shared/store/store.ts';
import { until } from '../../../support/machine/wait.ts';
import { workerRedis } from '../../../support/redis/redis.ts';
import { commands } from './commands.ts';
import { History } from './history.ts';
import { pairStage } from './stage.ts';

/** A time-out that a busy machine does not reach. */
const PATIENT_MS = 60_000;

/** No record is deleted, as Redis expires keys by a clock that scripts cannot read. */
const RETENTION_MS = 1_000_000_000_000;

/** A link that records when each script ran. */
class TimedLink extends RedisLink {
  readonly times: number[] = [];
  readonly #sources = new Map<ScriptName, string>();

  override async script(
    name: ScriptName,
    keys: readonly string[],
    values: ReadonlyArray<string | number>,
  ): Promise<Reply> {
    const source = this.#sources.get(name) ?? timed(name);
    this.#sources.set(name, source);
    const [now, reply] = (await this.run((client) => client.call('EVAL', source, keys.length, ...keys, ...values))) as [
      number,
      Reply,
    ]; // what the source returns
    this.times.push(now);
    return reply;
  }
}

/** The same script, with a reply that also has the time that it used. */
function timed(name: ScriptName): string {
  const script = readFileSync(new URL(`../../../../shared/store/scripts/${name}.lua`, import.meta.url), 'utf8');
  const source = scriptSource(name);
  const prelude = source.slice(0, source.length - script.length);
  return `${prelude}local function script()\n${script}\nend\nlocal reply = script()\nreturn { now_ms(), reply }`;
}

test('the Redis store and the in-memory store give the same answers and keep the same records', async () => {
  const redis = await workerRedis();
  const options: RedisLinkOptions = { address: { kind: 'single', url: redis.url }, timeoutMs: PATIENT_MS };
  const link = new TimedLink(options);
  onTestFinished(() => link.end());
  await until(() => link.ready, { what: 'Redis answers' });
  let runs = 0;

  function stageOf(leaseMs: number) {
    runs += 1;
    const store: StoreOptions = { leaseMs, historyPerSubject: 1_000, retentionMs: RETENTION_MS };
    const timedStore = {
      store: new RedisStore({ ...store, link, keyPrefix: `run-${runs}:` }),
      times: link.times,
      async now() {
        const [seconds, microseconds] = await redis.client.time();
        return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
      },
    };
    return pairStage(timedStore, store);
  }
  await fc.assert(
    fc.asyncProperty(commands(80, new Set()), fc.constantFrom(20, 1_000_000), (sequence, leaseMs) =>
      fc.asyncModelRun(() => ({ model: new History(), real: stageOf(leaseMs) }), sequence),
    ),
    { numRuns: 50 },
  );
});
