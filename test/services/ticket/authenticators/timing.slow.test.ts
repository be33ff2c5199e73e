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
 * deviations a difference is more than noise. Before the answer is no, more is measured: a busy
 * machine hides a difference, or makes one up, only for a while. That one would be seen is shown with
 * authenticators that are made to leak.
 */
const PAIRS = 30;
const MOST_ROUNDS = 6;
const MORE_THAN_NOISE = 4;

const names = (kind: string): string[] =>
  Array.from({ length: MOST_ROUNDS * PAIRS + 1 }, (_, index) => `${kind}-${index}`);
const known = names('known');
const unknown = names('other');
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

/**
 * By how many standard deviations known names take longer than unknown ones. Measured on and on, over
 * all samples so far, until it is as expected or a last time.
 */
async function distance(service: InProcess, isExpected: (distance: number) => boolean): Promise<number> {
  const samples: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
  for (let pair = 0; pair <= MOST_ROUNDS * PAIRS; pair += 1) {
    const turns = [
      ['known', known[pair]],
      ['unknown', unknown[pair]],
    ] as const;
    for (const [kind, name = ''] of random.chance(0.5) ? turns : turns.toReversed()) {
      const ms = await duration(service, name);
      if (pair > 0) samples[kind].push(ms); // the first pair warms up
    }
    if (pair > 0 && pair % PAIRS === 0 && isExpected(rankDistance(samples.known, samples.unknown))) break;
  }
  return rankDistance(samples.known, samples.unknown);
}

describe('names that are known and names that are not', { timeout: 900_000 }, () => {
  it('take the same time, as far as can be measured', async () => {
    const users = known.map((name) => `${name}:${hash}\n`).join('');
    const service = await runTicketService({ AUTH_USERS_FILE: temporaryFile(users), AUTH_JWT_SECRET: '' });

    const isNoise = (far: number): boolean => Math.abs(far) < MORE_THAN_NOISE;
    expect(await distance(service, isNoise)).toSatisfy(isNoise);
  });

  it.each<readonly [string, (password: string) => Promise<unknown>]>([
    ['that are not checked at all', async () => undefined],
    ['whose check costs half as much', (password) => passwordMatches(password, { ...decoyHash(), ln: 14 })],
  ])('would be told apart by a comparison with names %s', async (_name, checkUnknown) => {
    const service = await runTicketService({}, { authenticators: () => [leaking(checkUnknown)] });

    const isSeen = (far: number): boolean => far > MORE_THAN_NOISE;
    expect(await distance(service, isSeen)).toSatisfy(isSeen);
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
      return { kind: 'invalid', reason: 'the name or the password is wrong' };
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
