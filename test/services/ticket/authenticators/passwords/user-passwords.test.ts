import { describe, expect, test } from 'vitest';
import { UserPasswords } from '../../../../../services/ticket/authenticators/passwords/user-passwords.ts';
import { costOf, passwordMatches, type ScryptHash } from '../../../../../shared/logins/password.ts';
import { scryptHash } from '../../../../support/logins/passwords.ts';
import { temporaryFile } from '../../../../support/machine/temporary-file.ts';
import { runTicketService } from '../../../../support/services/in-process.ts';

const users = new Map([
  ['old', scryptHash('old one', { ln: 3, r: 1, p: 1 })],
  ['short', scryptHash('short one', { ln: 3, r: 1, p: 1, bytes: 17 })],
  ['new', scryptHash('new one', { ln: 5, r: 2, p: 1 })],
  ['odd', scryptHash('odd one', { ln: 4, r: 1, p: 3, bytes: 64 })],
]);

/** The costs of all the hashes that a check computes, in order. */
async function workOf(name: string, password: string): Promise<{ right: boolean; work: string[] }> {
  const work: string[] = [];
  const passwords = new UserPasswords(users, (given: string, expected: ScryptHash) => {
    work.push(costOf(expected));
    return passwordMatches(given, expected);
  });
  return { right: await passwords.match(name, password), work };
}

describe('the password of a user', () => {
  test.each(['old', 'short', 'new', 'odd'])('%s is right, and no other one', async (name) => {
    expect((await workOf(name, `${name} one`)).right).toBe(true);
    for (const other of ['old', 'short', 'new', 'odd', 'nobody']) {
      if (other !== name) expect((await workOf(name, `${other} one`)).right).toBe(false);
    }
  });

  test('takes the same work for every name, known or not, right or wrong', async () => {
    const all = ['ln=3,r=1,p=1', 'ln=5,r=2,p=1', 'ln=4,r=1,p=3'];
    for (const name of ['old', 'short', 'new', 'odd', 'nobody', 'toString', '']) {
      for (const password of [`${name} one`, 'a guess', '']) expect((await workOf(name, password)).work).toEqual(all);
    }
  });
});

test('a file with hashes of different cost is warned about at the start, and one without is not', async () => {
  const hash = (ln: number): string => scryptHash('right', { ln, r: 1, p: 1 });
  const start = (lines: readonly string[]) => runTicketService({ AUTH_USERS_FILE: temporaryFile(lines.join('\n')) });
  const mixed = await start([`ada:${hash(3)}`, `bob:${hash(4)}`]);
  const equal = await start([`ada:${hash(3)}`, `bob:${hash(3)}`]);

  expect(mixed.log).toContainEqual(
    expect.objectContaining({ event: 'password_costs_differ', level: 'warn', costs: 2 }),
  );
  expect(equal.log.map(({ event }) => event)).not.toContain('password_costs_differ');
});
