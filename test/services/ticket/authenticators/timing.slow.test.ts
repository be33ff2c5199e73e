import { beforeAll, describe, expect, it, test } from 'vitest';
import { type Authenticator, credentialsOf } from '../../../../services/ticket/authenticators/authenticator.ts';
import { decoyHash, hashPassword, parsePasswordHash, passwordMatches } from '../../../../shared/logins/password.ts';
import { basic } from '../../../support/logins/passwords.ts';
import { signIn } from '../../../support/logins/sign-in.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { Random, seedOfRun } from '../../../support/numbers/random.ts';
import { rankDistance } from '../../../support/numbers/rank-test.ts';
import { type InProcess, runTicketService } from '../../../support/services/in-process.ts';

/**
 * How it is measured: whole requests with wrong passwords, from sending to the end of the answer, one
 * at a time. Names that are known and names that are not take turns, in an order that is drawn for
 * each pair, so that whatever else the machine does meets both alike. No name comes twice, because
 * wrong passwords of one name are counted. The two samples are compared by rank: at 4 standard
 * deviations a difference is more than noise. That it would be seen is shown with authenticators that
 * are made to leak.
 */
const PAIRS = 30;
const MORE_THAN_NOISE = 4;

const known = Array.from({ length: PAIRS + 1 }, (_, index) => `known-${index}`);
const unknown = Array.from({ length: PAIRS + 1 }, (_, index) => `other-${index}`);
const random = new Random(seedOfRun());

let hash: string;

beforeAll(async () => {
  hash = await hashPassword('right');
});

async function duration(service: InProcess, name: string): Promise<number> {
  const begun = performance.now();
  const { status } = await signIn(service, { Authorization: basic(name, 'wrong') });
  const ms = performance.now() - begun;
  expect(status).toBe(401);
  return ms;
}

/** How many standard deviations longer known names take than unknown ones. */
async function distance(service: InProcess): Promise<number> {
  const samples: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
  for (let pair = 0; pair <= PAIRS; pair += 1) {
    const turns = [
      ['known', known[pair]],
      ['unknown', unknown[pair]],
    ] as const;
    for (const [kind, name = ''] of random.chance(0.5) ? turns : turns.toReversed()) {
      const ms = await duration(service, name);
      if (pair > 0) samples[kind].push(ms); // the first pair warms up
    }
  }
  return rankDistance(samples.known, samples.unknown);
}

describe('known and unknown names', { timeout: 300_000 }, () => {
  it('take the same time, as far as it can be measured', async () => {
    const users = known.map((name) => `${name}:${hash}\n`).join('');
    const service = await runTicketService({ AUTH_USERS_FILE: temporaryFile(users), AUTH_JWT_SECRET: '' });

    expect(Math.abs(await distance(service))).toBeLessThan(MORE_THAN_NOISE);
  });

  it.each<readonly [string, (password: string) => Promise<unknown>]>([
    ['that are not checked at all', async () => undefined],
    ['whose check costs half as much', (password) => passwordMatches(password, { ...decoyHash(), ln: 14 })],
  ])('would be told apart by a comparison with names %s', async (_name, checkUnknown) => {
    const service = await runTicketService({}, { authenticators: () => [leaking(checkUnknown)] });

    expect(await distance(service)).toBeGreaterThan(MORE_THAN_NOISE);
  });
});

/** HTTP Basic with the leak that this test looks for. */
function leaking(checkUnknown: (password: string) => Promise<unknown>): Authenticator {
  return {
    challenge: () => 'Basic',
    async authenticate(request) {
      const [name = '', password = ''] = Buffer.from(credentialsOf(request, 'basic') ?? '', 'base64')
        .toString()
        .split(':');
      const expected = known.includes(name) ? parsePasswordHash(hash) : null;
      await (expected === null ? checkUnknown(password) : passwordMatches(password, expected));
      return { kind: 'invalid' };
    },
  };
}

test.each([
  ['that are apart', [4, 5, 6], [1, 2, 3], 1.964],
  ['that are apart the other way round', [1, 2, 3], [4, 5, 6], -1.964],
  ['that are equal', [1, 2, 3], [1, 2, 3], 0],
  ['that are all ties', [7, 7], [7, 7, 7], 0],
  ['with an outlier', [1, 3, 1_000_000], [2, 4, 5], -0.218],
])('the ranks of samples %s', (_name, first, second, expected) => {
  expect(rankDistance(first, second)).toBeCloseTo(expected, 3);
});
