import { beforeAll, describe, expect, it } from 'vitest';
import { bearer } from '../../../support/logins/bearer.ts';
import { basic, quickHash } from '../../../support/logins/passwords.ts';
import {
  CHALLENGE,
  type Expected,
  expectAnswer,
  JWT_SECRET,
  NO_SECRET,
  recordOf,
  signIn,
} from '../../../support/logins/sign-in.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { type Environment, runTicketService } from '../../../support/services/in-process.ts';

const CHALLENGES = [CHALLENGE.proxy, CHALLENGE.basic];
const MISSING: Expected = { status: 401, code: 'credentials_missing', challenges: CHALLENGES };
const INVALID: Expected = { status: 401, code: 'credentials_invalid', challenges: CHALLENGES };

const TRUSTED = { TRUST_PROXY: '127.0.0.1' };
const UNTRUSTED = { TRUST_PROXY: '10.0.0.0/8' };
const FORGED = { 'X-Forwarded-User': 'root' };

let users: string;

beforeAll(() => {
  users = temporaryFile(`ada:${quickHash('right')}\n`);
});

const start = (env: Environment) =>
  runTicketService({ ...NO_SECRET, AUTH_USERS_FILE: users, AUTH_PROXY_HEADER: 'X-Forwarded-User', ...env });

describe('the header of an authenticating proxy', () => {
  it.each<readonly [string, Environment, Record<string, string | string[]>, Expected]>([
    ['good', TRUSTED, { 'X-Forwarded-User': 'ada' }, { subject: 'ada' }],
    ['good, in other letters', TRUSTED, { 'x-FORWARDED-user': 'ada' }, { subject: 'ada' }],
    [
      'good, in UTF-8',
      TRUSTED,
      { 'X-Forwarded-User': Buffer.from('zoë ☕').toString('latin1') },
      { subject: 'zoë ☕' },
    ],
    [
      'good, under another name',
      { ...TRUSTED, AUTH_PROXY_HEADER: 'Remote_User' },
      { Remote_User: 'ada' },
      { subject: 'ada' },
    ],
    [
      'good, beside the address that the proxy tells',
      TRUSTED,
      { 'X-Forwarded-User': 'ada', 'X-Forwarded-For': '192.0.2.7' },
      { subject: 'ada' },
    ],
    ['malformed: not UTF-8', TRUSTED, { 'X-Forwarded-User': 'Zo\xeb' }, INVALID],
    ['malformed: UTF-8 that is cut off', TRUSTED, { 'X-Forwarded-User': 'Zo\xc3' }, INVALID],
    ['missing', TRUSTED, {}, MISSING],
    ['missing, with another', TRUSTED, { 'X-Forwarded-Username': 'ada' }, MISSING],
    ['empty', TRUSTED, { 'X-Forwarded-User': '' }, INVALID],
    ['malformed: a subject that cannot be', TRUSTED, { 'X-Forwarded-User': 'a'.repeat(257) }, INVALID],
    ['malformed: a tab in it', TRUSTED, { 'X-Forwarded-User': 'a\tb' }, INVALID],
    ['twice', TRUSTED, { 'X-Forwarded-User': ['ada', 'root'] }, INVALID],
    ['twice the same', TRUSTED, { 'X-Forwarded-User': ['ada', 'ada'] }, INVALID],
    ['with an underscore', TRUSTED, { X_Forwarded_User: 'root' }, INVALID],
    ['with one underscore', TRUSTED, { 'X-Forwarded_User': 'root' }, INVALID],
    ['with an underscore beside it', TRUSTED, { 'X-Forwarded-User': 'ada', 'X_Forwarded-User': 'root' }, INVALID],
    [
      'with a hyphen where the name has an underscore',
      { ...TRUSTED, AUTH_PROXY_HEADER: 'Remote_User' },
      { 'Remote-User': 'root' },
      INVALID,
    ],
    ['from an untrusted peer', UNTRUSTED, FORGED, INVALID],
    ['from an untrusted peer, empty', UNTRUSTED, { 'X-Forwarded-User': '' }, INVALID],
    ['from an untrusted peer, with an underscore', UNTRUSTED, { X_Forwarded_User: 'root' }, INVALID],
    [
      'from an untrusted peer that says it is another',
      UNTRUSTED,
      { ...FORGED, 'X-Forwarded-For': '10.0.0.1' },
      INVALID,
    ],
    [
      'from an untrusted peer that has a password of its own',
      UNTRUSTED,
      { ...FORGED, Authorization: basic('ada', 'right') },
      INVALID,
    ],
    [
      'from an untrusted peer, beside a wrong password',
      UNTRUSTED,
      { ...FORGED, Authorization: basic('ada', 'wrong') },
      INVALID,
    ],
    [
      'missing, from an untrusted peer with a password',
      UNTRUSTED,
      { Authorization: basic('ada', 'right') },
      { subject: 'ada' },
    ],
  ])('%s', async (_row, env, headers, expected) => {
    const service = await start(env);

    await expectAnswer(service, await signIn(service, headers), expected);
  });

  it('is refused from any peer if no proxy is trusted', async () => {
    const service = await start({});

    await expectAnswer(service, await signIn(service, FORGED), INVALID);
  });

  it('comes before credentials that the proxy passes on', async () => {
    const service = await start({ ...TRUSTED, AUTH_JWT_SECRET: JWT_SECRET });
    const headers = { 'X-Forwarded-User': 'ada', Authorization: await bearer('bob') };

    await expectAnswer(service, await signIn(service, headers), { subject: 'ada' });
  });

  it('allows the longest session, because it does not say when the login ends', async () => {
    const service = await start({ ...TRUSTED, MAX_SESSION_SECONDS: '1000' });
    const record = await recordOf(service, await signIn(service, { 'X-Forwarded-User': 'ada' }));

    expect(record.sessionExpiresAt).toBe(record.issuedAt + 1_000_000);
  });
});
