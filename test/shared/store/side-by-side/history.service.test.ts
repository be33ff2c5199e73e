import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULTS } from '../contract/harness.ts';
import { commands } from './commands.ts';
import { History } from './history.ts';
import { memoryStage } from './stage.ts';

/** Every answer of consume. If one of them never occurs, the test shows nothing about it. */
const ANSWERS = [
  ...['admitted', 'ticket_unknown', 'ticket_revoked', 'ticket_consumed', 'ticket_expired', 'audience_refused'],
  ...['path_refused', 'origin_refused', 'address_refused', 'connection_limit'],
  'upstream_refused', // of an admission that was taken back, when its attempt asks again
].sort();

test('the history of random commands keeps the rules, and every answer occurs', async () => {
  const answers = new Set<string>();
  await fc.assert(
    fc.asyncProperty(commands(80, answers), fc.constantFrom(20, 1_000_000), (sequence, leaseMs) =>
      fc.asyncModelRun(
        () => ({ model: new History(), real: memoryStage({ ...DEFAULTS, leaseMs, retentionMs: 1_000_000_000_000 }) }),
        sequence,
      ),
    ),
    { numRuns: 200 },
  );
  expect([...answers].sort()).toStrictEqual(ANSWERS);
});
