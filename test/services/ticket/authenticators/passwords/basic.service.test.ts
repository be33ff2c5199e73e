import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { beforeEach, describe, expect, it, test } from 'vitest';
import type { Authenticator } from '../../../../../services/ticket/authenticators/authenticator.ts';
import type { AuthenticationContext } from '../../../../../services/ticket/authenticators/configured.ts';
import { createBasicAuthenticator } from '../../../../../services/ticket/authenticators/passwords/basic.ts';
import { NameThrottle } from '../../../../../services/ticket/authenticators/passwords/name-throttle.ts';
import { MemoryStore } from '../../../../../shared/store/memory/memory-store.ts';
import { basic, quickHash } from '../../../../support/logins/passwords.ts';
import {
  CHALLENGE,
  type Expected,
  expectAnswer,
  NO_SECRET,
  recordOf,
  signIn,
} from '../../../../support/logins/sign-in.ts';
import { temporaryFile } from '../../../../support/machine/temporary-file.ts';
import { type InProcess, runTicketService } from '../../../../support/services/in-process.ts';
import { type Answer, ask } from '../../../../support/services/ticket-client.ts';

const USERS: ReadonlyArray<readonly [name: string, password: string]> = [
  ['ada', 'right'],
  ['bob', 'with:colons::in it'],
  ['zoë ☕', 'pässwörd 🎟'],
  ['blank', ' '],
];

const names = Array.from({ length: 33 }, (_, index) => `user-${index}`);
const users = new Map([
  ...USERS.map(([name, password]) => [name, quickHash(password)] as const),
  ...names.map((name) => [name, quickHash('right')] as const),
]);

const authenticatorWith = ({ store }: Pick<AuthenticationContext, 'store'>): Authenticator =>
  createBasicAuthenticator({ users, throttle: new NameThrottle(store) });

let service: InProcess;

// One for each test: wrong passwords are counted.
beforeEach(async () => {
  service = await runTicketService({}, { authenticators: (context) => [authenticatorWith(context)] });
});

const issue = (credentials: string): Promise<Answer> => ask(service, '/tickets', { method: 'POST', credentials });
const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');

describe('HTTP Basic', () => {
  test.each(USERS)('signs %s in as the subject of that name', async (name, password) => {
    const { status, body } = await issue(basic(name, password));

    expect(status).toBe(201);
    expect(await service.store.read(String(body.id))).toMatchObject({ subject: name });
  });

  test.each(['basic', 'BASIC', 'bAsIc'])('takes its scheme as %s', async (scheme) => {
    expect((await issue(`${scheme} ${base64('ada:right')}`)).status).toBe(201);
  });

  test('takes credentials without padding, and after several blanks', async () => {
    expect((await issue(`Basic   ${base64('ada:right').replace(/=+$/, '')}`)).status).toBe(201);
  });

  test('takes a password however its accents are composed', async () => {
    expect((await issue(basic('zoë ☕', 'pässwörd 🎟'.normalize('NFD')))).status).toBe(201);
  });

  test.each([
    ['a wrong password', basic('ada', 'wrong')],
    ['an empty password', basic('ada', '')],
    ['a password in other letters', basic('ada', 'Right')],
    ['a password with something behind it', basic('ada', 'right ')],
    ['the password of somebody else', basic('ada', 'with:colons::in it')],
    ['a name that nobody has', basic('nobody', 'right')],
    ['a name in other letters', basic('Ada', 'right')],
    ['the name of a method', basic('toString', 'right')],
    ['no colon', `Basic ${base64('ada')}`],
    ['no name', `Basic ${base64(':right')}`],
    ['nothing at all', 'Basic'],
    ['empty credentials', 'Basic '],
    ['no base64', 'Basic ada:right'],
    ['base64url', `Basic ${base64('bob:with:colons::in it>?>').replaceAll('+', '-').replaceAll('/', '_')}-_`],
    ['base64 with something behind it', `Basic ${base64('ada:right')}=!`],
    ['bytes that are not UTF-8', `Basic ${base64(Buffer.from('zo\xeb:x', 'latin1'))}`],
    ['two credentials', `${basic('ada', 'right')}, ${basic('ada', 'right')}`],
    ['the hash for a password', basic('ada', quickHash('right'))],
  ])('lets nobody in with %s', async (_name, credentials) => {
    const { status, body, headers } = await issue(credentials);

    expect([status, body.code]).toEqual([401, 'credentials_invalid']);
    expect(headers.get('www-authenticate')).toBe('Basic realm="oncegate", charset="UTF-8"');
  });

  test('refuses a wrong password after a right one, and accepts a right one after a wrong one', async () => {
    const statuses: number[] = [];
    for (const password of ['right', 'wrong', 'right', 'wrong'])
      statuses.push((await issue(basic('ada', password))).status);

    expect(statuses).toEqual([201, 401, 201, 401]);
  });

  test('tells right from wrong passwords that arrive together', async () => {
    const passwords = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'right' : 'wrong'));
    const answers = await Promise.all(
      passwords.map((password) => issue(basic('blank', password === 'right' ? ' ' : ''))),
    ); // blank

    expect(answers.map(({ status }) => status)).toEqual(
      passwords.map((password) => (password === 'right' ? 201 : 401)),
    );
  });

  test('checks 32 different passwords of one address at once and no more', async () => {
    const store = new MemoryStore({ retentionMs: 1_000, leaseMs: 1_000, historyPerSubject: 1_000 });
    const authenticator = authenticatorWith({ store });
    const authenticate = (name: string, password: string) => {
      const request = new IncomingMessage(new Socket());
      request.headers.authorization = basic(name, password);
      return authenticator.authenticate(request, { key: '192.0.2.1' });
    };
    const answers = await Promise.all(names.map((name) => authenticate(name, 'wrong')));
    const equal = await Promise.all(Array.from({ length: 100 }, () => authenticate('ada', 'right')));

    expect(answers.slice(0, 32)).toEqual(
      Array.from({ length: 32 }, () => expect.objectContaining({ kind: 'invalid' })),
    );
    expect(answers[32]).toMatchObject({ kind: 'unavailable', code: 'overloaded' });
    expect(equal.every(({ kind }) => kind === 'principal')).toBe(true);
    expect(await authenticate('user-32', 'wrong')).toMatchObject({ kind: 'invalid' });
  });

  test('never logs a password', async () => {
    for (const password of ['right', 'a guess']) await issue(basic('ada', password));

    expect(service.log.map(({ event }) => event)).toEqual(['listening', 'issue', 'refusal']);
    expect(JSON.stringify(service.log)).not.toMatch(/right|a guess|Basic/);
  });
});

describe('HTTP Basic, as a users file configures it', () => {
  const CHALLENGES = [CHALLENGE.basic, CHALLENGE.bearer];
  const MISSING: Expected = { status: 401, code: 'credentials_missing', challenges: CHALLENGES };
  const INVALID: Expected = { status: 401, code: 'credentials_invalid', challenges: CHALLENGES };
  const FILE = `# people\n\nada:${quickHash('right')}\r\nbob:${quickHash('secret')}\n`;

  it.each<readonly [string, string | undefined, Expected]>([
    ['good', basic('ada', 'right'), { subject: 'ada' }],
    ['good, of the last in the file', basic('bob', 'secret'), { subject: 'bob' }],
    ['missing', undefined, MISSING],
    ['malformed', 'Basic ada:right', INVALID],
    ['a wrong password', basic('ada', 'wrong'), INVALID],
    ['the password of somebody else', basic('ada', 'secret'), INVALID],
    ['a name that nobody has', basic('eve', 'right'), INVALID],
    ['of another scheme', 'Digest username="ada"', INVALID],
  ])('%s', async (_row, authorization, expected) => {
    const configured = await runTicketService({ AUTH_USERS_FILE: temporaryFile(FILE) });
    const headers = authorization === undefined ? {} : { Authorization: authorization };

    await expectAnswer(configured, await signIn(configured, headers), expected);
  });

  it('allows the longest session, because a password does not expire', async () => {
    const configured = await runTicketService({
      ...NO_SECRET,
      AUTH_USERS_FILE: temporaryFile(FILE),
      MAX_SESSION_SECONDS: '1000',
    });
    const record = await recordOf(configured, await signIn(configured, { Authorization: basic('ada', 'right') }));

    expect(record.sessionExpiresAt).toBe(record.issuedAt + 1_000_000);
  });
});
