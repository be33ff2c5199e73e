import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ApiKey, formatApiKeys, mintApiKey } from '../../../../../shared/logins/api-keys.ts';
import { startLoopback } from '../../../../support/browsers/loopback.ts';
import { bearer } from '../../../../support/logins/bearer.ts';
import { quickHash } from '../../../../support/logins/passwords.ts';
import {
  CHALLENGE,
  type Expected,
  expectAnswer,
  NO_SECRET,
  recordOf,
  signIn,
} from '../../../../support/logins/sign-in.ts';
import { temporaryFile } from '../../../../support/machine/temporary-file.ts';
import {
  type Environment,
  type InProcess,
  runTicketService,
  storeTicket,
} from '../../../../support/services/in-process.ts';

const CHALLENGES = [CHALLENGE.basic, CHALLENGE.bearer];
const MISSING: Expected = { status: 401, code: 'credentials_missing', challenges: CHALLENGES };
const INVALID: Expected = {
  status: 401,
  code: 'credentials_invalid',
  challenges: [CHALLENGE.basic, CHALLENGE.invalidToken],
};

type Limits = Pick<ApiKey, 'subjects' | 'audiences'>;

/** The value of a key, and its row. */
const mint = (name: string, limits: Limits = {}) => mintApiKey(name, limits, new Date());

const plain = mint('worker');
const limited = mint('chat-backend', { subjects: ['chat:*', 'guest'], audiences: ['chat', 'lobby'] });
const single = mint('mail-backend', { subjects: ['*'], audiences: ['mail'] });
const FILE = formatApiKeys([plain.key, limited.key, single.key]);

let path: string;

beforeEach(() => {
  path = temporaryFile(FILE);
});

const start = (env: Environment = {}): Promise<InProcess> =>
  runTicketService({
    ...NO_SECRET,
    AUTH_USERS_FILE: temporaryFile(`ada:${quickHash('right')}\n`),
    AUTH_API_KEYS_FILE: path,
    ...env,
  });

const withKey = (value: string) => ({ Authorization: `Bearer ${value}` });

/** The value with the character at an index replaced. */
const changed = (value: string, at: number): string =>
  `${value.slice(0, at)}${value[at] === 'A' ? 'B' : 'A'}${value.slice(at + 1)}`;

/** Writes the file with a new inode each time, as the command does: the file system's clock does not matter. */
function replace(content: string): void {
  writeFileSync(`${path}.next`, content);
  renameSync(`${path}.next`, path);
}

describe('an API key', () => {
  it.each<readonly [string, () => string | undefined, Expected]>([
    ['that is good', () => `Bearer ${plain.value}`, { subject: 'worker' }],
    ['that is good, in other letters of the scheme', () => `bearer ${plain.value}`, { subject: 'worker' }],
    ['that is missing', () => undefined, MISSING],
    ['that is malformed', () => 'Bearer ogk_', INVALID],
    ['with one character less', () => `Bearer ${plain.value.slice(0, -1)}`, INVALID],
    ['with one character more', () => `Bearer ${plain.value}A`, INVALID],
    ['with a wrong character at the end', () => `Bearer ${changed(plain.value, plain.value.length - 1)}`, INVALID],
    ['with a wrong character in its secret', () => `Bearer ${changed(plain.value, 17)}`, INVALID],
    ['with a wrong character in its id', () => `Bearer ${changed(plain.value, 4)}`, INVALID],
    ['in capitals', () => `Bearer ${plain.value.toUpperCase()}`, INVALID],
    ['with the secret of another', () => `Bearer ${plain.value.slice(0, 17)}${single.value.slice(17)}`, INVALID],
    ['with its hash for a secret', () => `Bearer ogk_${plain.key.id}.${plain.key.sha256.slice(0, 32)}`, INVALID],
    ['that was never in the file', () => `Bearer ${mint('worker').value}`, INVALID],
    [
      'as a password',
      () => `Basic ${Buffer.from(`worker:${plain.value}`).toString('base64')}`,
      { ...INVALID, challenges: CHALLENGES },
    ],
  ])('%s', async (_row, authorization, expected) => {
    const service = await start();
    const header = authorization();

    await expectAnswer(service, await signIn(service, header === undefined ? {} : { Authorization: header }), expected);
    expect(JSON.stringify(service.log)).not.toContain(plain.value.slice(17));
  });

  it('with one wrong character is refused, and no other verifier gets it', async () => {
    const endpoint = await startLoopback((_request, response) => response.end('{"active":true,"sub":"root"}'));
    const service = await start({
      AUTH_INTROSPECTION_URL: endpoint.url,
      AUTH_INTROSPECTION_CLIENT_ID: 'oncegate',
      AUTH_INTROSPECTION_CLIENT_SECRET: 'secret',
    });
    for (const value of [changed(plain.value, 20), plain.value.slice(0, -1), `${plain.value}A`, `${plain.value}=`]) {
      await expectAnswer(service, await signIn(service, withKey(value)), INVALID);
    }

    expect(endpoint.requests).toEqual([]);
  });

  it('allows the longest session, because it does not expire', async () => {
    const service = await start({ MAX_SESSION_SECONDS: '1000' });
    const record = await recordOf(service, await signIn(service, withKey(plain.value)));

    expect(record.sessionExpiresAt).toBe(record.issuedAt + 1_000_000);
  });
});

describe('what an API key may issue', () => {
  const ISSUED = 201;

  it.each<readonly [string, string, object, number | readonly [number, string]]>([
    ['for itself', plain.value, {}, ISSUED],
    ['for itself, by name', plain.value, { subject: 'worker' }, ISSUED],
    ['for itself, to any audience', plain.value, { audience: 'anything' }, ISSUED],
    ['for somebody else without the right', plain.value, { subject: 'ada' }, [403, 'subject_refused']],
    ['for a subject of its pattern', limited.value, { subject: 'chat:ada', audience: 'chat' }, ISSUED],
    ['for the end of its pattern', limited.value, { subject: 'chat:', audience: 'chat' }, ISSUED],
    ['for another of its patterns', limited.value, { subject: 'guest', audience: 'lobby' }, ISSUED],
    ['for itself, beside its patterns', limited.value, { subject: 'chat-backend', audience: 'chat' }, ISSUED],
    [
      'for a subject that only begins alike',
      limited.value,
      { subject: 'chatter', audience: 'chat' },
      [403, 'subject_refused'],
    ],
    [
      'for a subject that only ends alike',
      limited.value,
      { subject: 'xchat:ada', audience: 'chat' },
      [403, 'subject_refused'],
    ],
    [
      'for more than a pattern without a star',
      limited.value,
      { subject: 'guest2', audience: 'chat' },
      [403, 'subject_refused'],
    ],
    ['for its pattern as it is written', plain.value, { subject: '*' }, [403, 'subject_refused']],
    ['to another audience', limited.value, { subject: 'guest', audience: 'mail' }, [403, 'audience_refused']],
    ['to no audience, of several', limited.value, { subject: 'guest' }, [403, 'audience_refused']],
    ['to no audience, of one', single.value, { subject: 'anybody at all' }, ISSUED],
    ['to the audience in other letters', single.value, { audience: 'Mail' }, [403, 'audience_refused']],
    ['for nobody', single.value, { subject: '' }, [422, 'request_invalid']],
    ['for a list of subjects', single.value, { subject: ['ada'] }, [422, 'request_invalid']],
  ])('%s', async (_row, value, body, expected) => {
    const service = await start();
    const answer = await signIn(service, withKey(value), { body });

    if (expected === ISSUED) {
      const { subject } = { subject: undefined, ...body };
      expect((await recordOf(service, answer)).subject).toBe(subject ?? 'worker');
    } else {
      expect([answer.status, answer.code]).toEqual(expected);
    }
  });

  it('gets its one audience by default', async () => {
    const service = await start();
    const record = await recordOf(service, await signIn(service, withKey(single.value)));

    expect(record).toMatchObject({ subject: 'mail-backend', audience: 'mail' });
  });

  it('is allowed to keys only', async () => {
    const service = await start({ AUTH_JWT_SECRET: 'a secret of the tests, long enough for HS256' });
    const answer = await signIn(service, { Authorization: await bearer('ada') }, { body: { subject: 'chat:ada' } });

    expect([answer.status, answer.code]).toEqual([403, 'subject_refused']);
  });
});

describe('the record of a ticket', () => {
  const SECRET = { AUTH_JWT_SECRET: 'a secret of the tests, long enough for HS256' };

  it.each<readonly [string, () => Promise<string>, string, boolean]>([
    ['its own subject', () => bearer('chat:ada'), 'chat:ada', true],
    ['a key that may act for its subject', async () => `Bearer ${limited.value}`, 'chat:ada', true],
    ['a key that may act for everybody', async () => `Bearer ${single.value}`, 'chat:ada', true],
    ['a key that may act for others', async () => `Bearer ${limited.value}`, 'ada', false],
    ['a key that may act for nobody', async () => `Bearer ${plain.value}`, 'chat:ada', false],
    ['another subject', () => bearer('bob'), 'chat:ada', false],
    ['a subject that is named as the pattern', () => bearer('chat:*'), 'chat:ada', false],
  ])('is shown to, and revoked by, %s: %s', async (who, credentials, subject, allowed) => {
    const service = await start(SECRET);
    const audience = who === 'a key that may act for everybody' ? 'mail' : 'chat';
    const { id } = await storeTicket(service.store, { subject, audience });
    const headers = { Authorization: await credentials() };
    const at = { path: `/tickets/${id}` };
    const shown = await signIn(service, headers, { ...at, method: 'GET' });
    const renewed = await signIn(service, headers, { path: `/tickets/${id}/renew` });
    const revoked = await signIn(service, headers, { ...at, method: 'DELETE' });

    expect([shown.status, shown.body.subject]).toEqual(allowed ? [200, subject] : [404, undefined]);
    expect(renewed.status).toBe(404); // it is not open
    expect(revoked.status).toBe(allowed ? 204 : 404);
    expect((await service.store.read(id))?.state).toBe(allowed ? 'revoked' : 'issued');
  });

  it("of another subject is not in the key's list", async () => {
    const service = await start(SECRET);
    await storeTicket(service.store, { subject: 'chat:ada' });
    const { id } = await storeTicket(service.store, { subject: 'chat-backend', audience: 'chat' });
    const list = await signIn(service, withKey(limited.value), { method: 'GET' });

    expect(list.body.tickets).toEqual([expect.objectContaining({ id })]);
  });
});

describe('the keys file', () => {
  const refusals = ({ log }: InProcess) => log.filter(({ event }) => event === 'file_refused');
  const status = async (service: InProcess, value: string): Promise<number> =>
    (await signIn(service, withKey(value))).status;

  it('is read again for each request', async () => {
    const service = await start();
    const later = mint('later');
    const statuses = [await status(service, plain.value), await status(service, later.value)];
    replace(formatApiKeys([later.key]));
    statuses.push(await status(service, plain.value), await status(service, later.value));
    replace('');
    statuses.push(await status(service, later.value));

    expect(statuses).toEqual([201, 401, 401, 201, 401]);
    expect(refusals(service)).toEqual([]);
  });

  it.each<readonly [string, string | ((file: string) => void), readonly string[]]>([
    ['no JSON', FILE.slice(0, -3), ['must be JSON, as `oncegate keys add` writes it']],
    ['a list', '[]', ['the file is not valid']],
    ['a field that nobody knows', JSON.stringify({ keys: [], revoked: [] }), ['the file is not valid']],
    [
      'a key without a hash',
      JSON.stringify({ keys: [{ ...plain.key, sha256: undefined }] }),
      ['keys.0.sha256 is not valid'],
    ],
    [
      'a subject that is no pattern',
      JSON.stringify({ keys: [{ ...plain.key, subjects: [''] }] }),
      ['keys.0.subjects.0 is not valid'],
    ],
    ['no file at all', (file) => rmSync(file), ['cannot be read']],
    [
      'a directory of its own',
      (file) => {
        rmSync(file);
        symlinkSync('.', file);
      },
      ['cannot be read'],
    ],
    [
      'a link to itself',
      (file) => {
        rmSync(file);
        symlinkSync(file, file);
      },
      ['cannot be read'],
    ],
  ])('keeps the old keys in force where it becomes %s, and says so once', async (_name, change, faults) => {
    const service = await start();
    if (typeof change === 'string') replace(change);
    else change(path);
    const statuses = [await status(service, plain.value), await status(service, plain.value)];

    expect(statuses).toEqual([201, 201]);
    expect(refusals(service)).toEqual([
      expect.objectContaining({ level: 'error', setting: 'AUTH_API_KEYS_FILE', faults }),
    ]);
    replaceWhatever();
    expect(await status(service, plain.value)).toBe(401);
  });

  /** A good file again, without the key. */
  function replaceWhatever(): void {
    rmSync(path, { force: true });
    replace(formatApiKeys([single.key]));
  }

  it('contains no secret', () => {
    for (const { value } of [plain, limited, single]) expect(FILE).not.toContain(value.slice(17));
  });
});
