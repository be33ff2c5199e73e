import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { mintApiKey } from '../../../shared/logins/api-keys.ts';
import { temporaryDirectory } from '../../support/machine/temporary-file.ts';
import { oncegate } from '../../support/services/command-line.ts';
import { type InProcess, runTicketService } from '../../support/services/in-process.ts';
import { type Answer, ask } from '../../support/services/ticket-client.ts';

const VALUE = /^ogk_[A-Za-z0-9_][A-Za-z0-9_-]{11}\.[A-Za-z0-9_-]{32}\n$/;

let directory: string;
let file: string;

beforeEach(() => {
  directory = temporaryDirectory();
  file = join(directory, 'keys.json');
});

const keys = (...args: string[]) => oncegate(['keys', ...args, '--file', file]);
const contentOf = (): { keys: Array<Record<string, unknown>> } => JSON.parse(readFileSync(file, 'utf8'));

/** Adds a key, and returns its value. */
async function added(name: string, ...limits: string[]): Promise<string> {
  const { code, stdout, stderr } = await keys('add', name, ...limits);
  expect([code, stderr.startsWith('oncegate: ')]).toEqual([0, false]);
  return stdout.trim();
}

const issue = (service: InProcess, value: string, wish: object = {}): Promise<Answer> =>
  ask(service, '/tickets', { method: 'POST', body: wish, credentials: `Bearer ${value}` });

describe('oncegate keys add', () => {
  test('prints the key once, and keeps only its hash, in a file that only its owner can read', async () => {
    const { code, stdout, stderr } = await keys('add', 'billing');
    const [id = '', secret = ''] = stdout.trim().slice('ogk_'.length).split('.');

    expect(code).toBe(0);
    expect(stdout).toMatch(VALUE);
    expect(stderr).toBe(
      `Added billing to ${file}. This is the only time that the key is shown. Send it as: Authorization: Bearer <key>\n`,
    );
    expect(contentOf()).toEqual({
      keys: [
        {
          id,
          name: 'billing',
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        },
      ],
    });
    expect(readFileSync(file, 'utf8')).not.toContain(secret);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['keys.json']);
  });

  test('signs a back end in, for its own subject only', async () => {
    const value = await added('billing');
    const service = await runTicketService({ AUTH_API_KEYS_FILE: file });

    expect((await issue(service, value)).status).toBe(201);
    expect((await issue(service, value, { subject: 'billing' })).status).toBe(201);
    expect((await issue(service, value, { subject: 'ada' })).body.code).toBe('subject_refused');
    expect((await issue(service, `${value.slice(0, -1)}${value.endsWith('A') ? 'B' : 'A'}`)).status).toBe(401);
  });

  test('limits it to subjects and audiences', async () => {
    const subjects = ['--subject', 'user-*', '--subject', 'ada'];
    const value = await added('backend', ...subjects, '--audience', 'chat', '--audience', 'feed');
    const service = await runTicketService({ AUTH_API_KEYS_FILE: file });
    const codeOf = async (wish: object) => (await issue(service, value, wish)).body.code;

    for (const subject of ['user-7', 'ada', 'backend'])
      expect(await codeOf({ subject, audience: 'chat' })).toBe(undefined);
    for (const subject of ['adam', 'user', 'a user-7', '*']) {
      expect(await codeOf({ subject, audience: 'chat' })).toBe('subject_refused');
    }
    expect(await codeOf({ subject: 'ada', audience: 'feed' })).toBe(undefined);
    expect(await codeOf({ subject: 'ada', audience: 'admin' })).toBe('audience_refused');
    expect(await codeOf({ subject: 'ada' })).toBe('audience_refused');
  });

  test('does not change the other keys, whatever the mode of the file', async () => {
    const first = await added('first', '--subject', 'a*');
    const [before] = contentOf().keys;
    chmodSync(file, 0o644);
    await added('second');

    expect(contentOf().keys.map(({ name }) => name)).toEqual(['first', 'second']);
    expect(contentOf().keys[0]).toEqual(before);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const service = await runTicketService({ AUTH_API_KEYS_FILE: file });
    expect((await issue(service, first, { subject: 'ada' })).status).toBe(201);
  });

  test('refuses a name that is taken, and changes nothing', async () => {
    await added('billing');
    const before = readFileSync(file, 'utf8');
    const { code, stdout, stderr } = await keys('add', 'billing');

    expect([code, stdout, stderr]).toEqual([
      1,
      '',
      'oncegate: there is a key named billing already; revoke it first\n',
    ]);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  test.each([
    ['', 'a name has 1 to 256 characters and no control characters'],
    ['a\nb', 'a name has 1 to 256 characters and no control characters'],
    ['a'.repeat(257), 'a name has 1 to 256 characters and no control characters'],
  ])('refuses the name %j', async (name, message) => {
    const { code, stdout, stderr } = await keys('add', name);

    expect([code, stdout]).toEqual([64, '']);
    expect(stderr.startsWith(`oncegate: ${message}\n`)).toBe(true);
    expect(existsSync(file)).toBe(false);
  });

  test.each([
    ['--subject', ''],
    ['--subject', 'a'.repeat(257)],
    ['--audience', ''],
    ['--audience', 'a b'],
    ['--audience', 'chat*'],
    ['--audience', 'a'.repeat(65)],
  ])('refuses %s %j', async (option, value) => {
    const { code, stdout, stderr } = await keys('add', 'billing', '--subject', 'fine', option, value);

    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toContain(
      'an audience has 1 to 64 characters of A-Z a-z 0-9 . _ -, a subject pattern has 1 to 256 characters',
    );
    expect(existsSync(file)).toBe(false);
  });

  test('never makes an id that begins with a dash', () => {
    for (let index = 0; index < 2_000; index += 1) {
      expect(mintApiKey('a', {}, new Date(0)).key.id).toMatch(/^[A-Za-z0-9_]/);
    }
  });
});

describe('oncegate keys list', () => {
  test('prints names, subjects and audiences, and no secret', async () => {
    const values = [await added('billing'), await added('chat back end', '--subject', 'user-*', '--audience', 'chat')];
    const { code, stdout, stderr } = await keys('list');
    const [first, second] = contentOf().keys;

    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n')).toEqual([
      `${first?.id}  ${first?.created_at}  billing  (for billing; audiences any)`,
      `${second?.id}  ${second?.created_at}  chat back end  (for chat back end user-*; audiences chat)`,
      '',
    ]);
    for (const value of values) expect(stdout).not.toContain(value.split('.')[1]);
    for (const { sha256 } of contentOf().keys) expect(stdout).not.toContain(String(sha256));
  });

  test.each(['', '{"keys":[]}'])('prints nothing if there are no keys (%j)', async (content) => {
    writeFileSync(file, content);

    expect(await keys('list')).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

describe('oncegate keys revoke', () => {
  test.each(['name', 'id'] as const)('removes a key by its %s, and keeps the others', async (by) => {
    const [gone, kept] = [await added('gone'), await added('kept')];
    const service = await runTicketService({ AUTH_API_KEYS_FILE: file });
    expect((await issue(service, gone)).status).toBe(201);
    const argument = by === 'name' ? 'gone' : String(contentOf().keys[0]?.id);

    expect(await keys('revoke', argument)).toEqual({ code: 0, stdout: `Revoked ${argument}.\n`, stderr: '' });
    // Nobody told the service: it watches the file.
    expect((await issue(service, gone)).body.code).toBe('credentials_invalid');
    expect((await issue(service, kept)).status).toBe(201);
    expect(contentOf().keys.map(({ name }) => name)).toEqual(['kept']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('frees the name for another key', async () => {
    const old = await added('billing');
    await keys('revoke', 'billing');
    const fresh = await added('billing');
    const service = await runTicketService({ AUTH_API_KEYS_FILE: file });

    expect([(await issue(service, old)).status, (await issue(service, fresh)).status]).toEqual([401, 201]);
  });

  test('reports that there is no such key', async () => {
    await added('billing');
    const before = readFileSync(file, 'utf8');

    expect(await keys('revoke', 'absent')).toEqual({
      code: 1,
      stdout: '',
      stderr: `oncegate: there is no key named absent in ${file}\n`,
    });
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
});

describe('oncegate keys', () => {
  test('uses AUTH_API_KEYS_FILE by default', async () => {
    const env = { AUTH_API_KEYS_FILE: file };
    expect((await oncegate(['keys', 'add', 'billing'], { env })).code).toBe(0);
    expect((await oncegate(['keys', 'list'], { env })).stdout).toContain('billing');
    expect((await oncegate(['keys', 'revoke', 'billing'], { env })).code).toBe(0);

    expect(contentOf()).toEqual({ keys: [] });
  });

  test.each([['add', 'billing'], ['list'], ['revoke', 'billing']])(
    'asks for a file where none is named: %s',
    async (...args) => {
      const { code, stderr } = await oncegate(['keys', ...args], { cwd: directory });

      expect(code).toBe(64);
      expect(stderr).toContain('no file: give --file <path>, or set AUTH_API_KEYS_FILE');
    },
  );

  test.each(
    ['no JSON', '[]', '{"keys":[{"name":"billing"}]}', '{"keys":[],"more":1}'].flatMap((content) =>
      [['add', 'billing'], ['list'], ['revoke', 'billing']].map((args) => [content, args] as const),
    ),
  )('changes nothing in a file that is broken: %s, %j', async (content, args) => {
    writeFileSync(file, content);
    const { code, stdout, stderr } = await keys(...args);

    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^oncegate: .*keys\.json: .*; nothing was changed\n$/);
    expect(readFileSync(file, 'utf8')).toBe(content);
  });

  test('reports that it cannot write', async () => {
    const path = join(directory, 'absent', 'keys.json');
    const { code, stdout, stderr } = await oncegate(['keys', 'add', 'billing', '--file', path]);

    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^oncegate: ENOENT/);
  });

  test.each([[], ['add'], ['add', 'a', 'b'], ['list', 'all'], ['revoke'], ['revoke', 'a', 'b'], ['rotate', 'a']])(
    'ends with 64 and says what it can do: %s %s %s',
    async (...args) => {
      const { code, stdout, stderr } = await keys(...args);

      expect([code, stdout]).toEqual([64, '']);
      expect(stderr).toMatch(/^oncegate: the keys commands are: keys add <name>, keys list, keys revoke <name>\n/);
      expect(stderr).toContain('oncegate keys add <name> [--subject <pattern>]...');
    },
  );

  test.each([
    ['add', 'a', '--subject'],
    ['add', 'a', '--role', 'admin'],
  ])('ends with 64 for options that it does not know: %s', async (...args) => {
    expect((await oncegate(['keys', ...args])).code).toBe(64);
    expect(existsSync(file)).toBe(false);
  });
});
