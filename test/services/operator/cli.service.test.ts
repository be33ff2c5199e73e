import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { settingNames } from '../../../shared/settings/table.ts';
import { basic, quickHash } from '../../support/logins/passwords.ts';
import { temporaryDirectory } from '../../support/machine/temporary-file.ts';
import { until } from '../../support/machine/wait.ts';
import { oncegate, startOncegate } from '../../support/services/command-line.ts';
import {
  type InProcess,
  runGateway,
  runTicketService,
  type StoredTicket,
  storeTicket,
} from '../../support/services/in-process.ts';
import { ask } from '../../support/services/ticket-client.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = temporaryDirectory();
  file = join(directory, 'users');
});

describe('oncegate users add', () => {
  const add = (name: string, password: string) =>
    oncegate(['users', 'add', name, '--file', file], { input: `${password}\n` });

  /** Whether a user of the file can sign in at a ticket service. */
  async function status(name: string, password: string): Promise<number> {
    const service = await runTicketService({ AUTH_USERS_FILE: file });
    return (await ask(service, '/tickets', { method: 'POST', credentials: basic(name, password) })).status;
  }

  test('adds a user who can sign in, to a file that only its owner can read', async () => {
    const { code, stdout, stderr } = await add('ada', 'correct horse: battery ä');

    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(`Added ada in ${file}. Restart the ticket service to use it.\n`);
    expect(readFileSync(file, 'utf8')).toMatch(/^ada:\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await status('ada', 'correct horse: battery ä')).toBe(201);
    expect(await status('ada', 'correct horse: battery')).toBe(401);
  });

  test('replaces a password and changes nothing else', async () => {
    const others = `# people\nadam:${quickHash('x')}`;
    writeFileSync(file, `${others}\nada:${quickHash('old')}\n`);
    chmodSync(file, 0o644);
    const { code, stdout } = await add('ada', 'new');

    expect([code, stdout]).toEqual([
      0,
      `Replaced the password of ada in ${file}. Restart the ticket service to use it.\n`,
    ]);
    const content = readFileSync(file, 'utf8');
    expect(content.startsWith(`${others}\nada:$scrypt$`)).toBe(true);
    expect(content.match(/^ada:/gm)).toHaveLength(1);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await status('ada', 'new')).toBe(201);
    expect(await status('ada', 'old')).toBe(401);
  });

  test('writes to AUTH_USERS_FILE by default', async () => {
    const { code } = await oncegate(['users', 'add', 'ada'], { input: 'secret\n', env: { AUTH_USERS_FILE: file } });

    expect(code).toBe(0);
    expect(readFileSync(file, 'utf8')).toMatch(/^ada:/);
  });

  test('reads the first line only, with or without a line end', async () => {
    await oncegate(['users', 'add', 'ada', '--file', file], { input: 'first' });
    await oncegate(['users', 'add', 'bob', '--file', file], { input: 'first\r\nsecond\n' });

    expect(await status('ada', 'first')).toBe(201);
    expect(await status('bob', 'first')).toBe(201);
  });

  test('refuses a name that cannot stand in the file or in HTTP Basic', async () => {
    for (const name of ['a:b', '', '#ada', ' ada', 'ada ', 'a\nb', 'a'.repeat(257)]) {
      const { code, stdout, stderr } = await add(name, 'secret');

      expect({ name, code, stdout }).toEqual({ name, code: 64, stdout: '' });
      expect(stderr).toMatch(/^oncegate: a name has 1 to 256 characters/);
      expect(existsSync(file)).toBe(false);
    }
  });

  test('reports that no file is named', async () => {
    const { code, stderr } = await oncegate(['users', 'add', 'ada'], { input: 'secret\n', cwd: directory });

    expect(code).toBe(64);
    expect(stderr).toContain('--file <path>, or set AUTH_USERS_FILE');
  });

  test.each([
    ['an empty password', '\n'],
    ['no password', ''],
  ])('changes nothing for %s', async (_name, input) => {
    const { code, stderr } = await oncegate(['users', 'add', 'ada', '--file', file], { input });

    expect([code, stderr]).toEqual([1, 'oncegate: the password is empty; nothing was changed\n']);
    expect(existsSync(file)).toBe(false);
  });

  test('does not change a malformed file', async () => {
    writeFileSync(file, 'ada:plain text\n');
    const { code, stderr } = await add('bob', 'secret');

    expect(code).toBe(1);
    expect(stderr).toBe(
      `oncegate: ${file}: line 1 must have a scrypt hash in PHC string format; nothing was changed\n`,
    );
    expect(readFileSync(file, 'utf8')).toBe('ada:plain text\n');
  });

  test('reports that it cannot write', async () => {
    const path = join(directory, 'absent', 'users');
    const { code, stderr } = await oncegate(['users', 'add', 'ada', '--file', path], { input: 'secret\n' });

    expect(code).toBe(1);
    expect(stderr).toMatch(/^oncegate: ENOENT/);
    expect(stderr).not.toContain('secret');
  });
});

describe('oncegate connect', () => {
  let gateway: InProcess;
  let ticket: StoredTicket;

  beforeEach(async () => {
    gateway = await runGateway();
    ticket = await storeTicket(gateway.store, { claims: '{"room":7}' });
  });

  /** A file with the answer of POST /tickets. */
  function answerFile({ query = true } = {}): string {
    const url = `ws://127.0.0.1:${gateway.port}`;
    const path = join(directory, 'ticket.json');
    const connectUrl = query ? `${url}/?ticket=${ticket.value}` : null;
    writeFileSync(path, JSON.stringify({ id: ticket.id, ticket: ticket.value, url, connect_url: connectUrl }));
    return path;
  }

  const hello = (): string =>
    `{"type":"hello","ticket_id":"${ticket.id}","subject":"ada","claims":{"room":7},"client_claims":{}}\n`;

  test('opens with the answer of the ticket service, sends lines and prints messages', async () => {
    const { code, stdout, stderr } = await oncegate(['connect', answerFile()], { input: 'one\ntwo ü\n\n' });

    expect(code).toBe(0);
    expect(stdout).toBe(`${hello()}one\ntwo ü\n\n`);
    expect(stderr).toBe('open\nclosed 1000 \n');
    await until(async () => (await gateway.store.read(ticket.id))?.state === 'closed');
    expect(await gateway.store.read(ticket.id)).toMatchObject({ closeCode: 1000 });
  });

  test('opens with a URL', async () => {
    const { code, stdout } = await oncegate(['connect', `ws://127.0.0.1:${gateway.port}/?ticket=${ticket.value}`]);

    expect([code, stdout]).toEqual([0, hello()]);
  });

  test('carries the ticket in a header if there is no connect_url', async () => {
    const { code, stdout } = await oncegate(['connect', answerFile({ query: false })]);

    expect([code, stdout]).toEqual([0, hello()]);
  });

  test('prints the whole refusal', async () => {
    const path = answerFile();
    await oncegate(['connect', path]);
    const { code, stdout, stderr } = await oncegate(['connect', path]);
    const [first = '', body = ''] = stderr.split('\n');

    expect([code, stdout]).toEqual([1, '']);
    expect(first).toBe('refused: HTTP 401 Unauthorized');
    expect(JSON.parse(body)).toMatchObject({ code: 'ticket_consumed', ticket_id: ticket.id, retry: 'reissue' });
  });

  test('ends when the gateway closes, even if standard input is open', async () => {
    const command = startOncegate(['connect', answerFile()]);
    await until(() => command.stdout().includes('hello'));
    await gateway.store.revoke({ id: ticket.id });
    await gateway.store.command(String(await holder()), { command: 'close', ticket_id: ticket.id, reason: 'revoked' });

    expect(await command.exited).toBe(0);
    expect(command.stderr()).toBe('open\nclosed 3003 revoked\n');
  });

  const holder = async () => (await gateway.store.read(ticket.id))?.gatewayId;

  test('reports that nobody listens', async () => {
    const { code, stderr } = await oncegate(['connect', 'ws://127.0.0.1:1/?ticket=x']);

    expect(code).toBe(1);
    expect(stderr).toMatch(/^failed: .*ECONNREFUSED/);
  });

  test.each(['absent.json', 'http://127.0.0.1/'])('refuses another argument: %s', async (argument) => {
    const { code, stderr } = await oncegate(['connect', argument], { cwd: directory });

    expect(code).toBe(64);
    expect(stderr).toContain(`${argument} is neither a ws:// URL nor a file with the answer of POST /tickets`);
  });

  test('refuses a file that contains a refusal', async () => {
    writeFileSync(file, '{"type":"urn:oncegate:problem:credentials_missing","status":401}');

    expect((await oncegate(['connect', file])).code).toBe(64);
  });
});

describe('oncegate', () => {
  test('settings explains every environment variable', async () => {
    const { code, stdout } = await oncegate(['settings']);

    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^TICKET_TTL_SECONDS\n {4}How long.*\n {4}Must be a whole number from 1 to 300 \(seconds\)\. Default: 30\.$/m,
    );
    expect(stdout).toMatch(
      /^GATEWAY_URL\n[\s\S]*Default:\s+ws:\/\/<HOST>:<GATEWAY_PORT>,\s+wss:\s+with\s+TLS_CERT_FILE\.$/m,
    );
    expect(stdout.match(/^[A-Z][A-Z0-9_]+$/gm)).toEqual(settingNames);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(96);
  });

  test('--version is that of the package', async () => {
    const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
    const { code, stdout } = await oncegate(['--version']);

    expect(code).toBe(0);
    expect(manifest).toMatchObject({ version: stdout.trim() });
  });

  test.each(['--help', '-h'])('%s prints the usage', async (option) => {
    const { code, stdout, stderr } = await oncegate([option]);

    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('oncegate users add <name> [--file <path>]');
    expect(stdout).toContain('oncegate connect <file or URL> [--insecure]');
    expect(stdout).toContain('oncegate settings');
  });

  test.each([
    [[], 'no command was given'],
    [['frobnicate'], 'wrong command line: frobnicate'],
    [['users'], 'wrong command line: users'],
    [['users', 'add'], 'wrong command line: users add'],
    [['users', 'add', 'ada', 'bob'], 'wrong command line: users add ada bob'],
    [['users', 'remove', 'ada'], 'wrong command line: users remove ada'],
    [['connect'], 'wrong command line: connect'],
    [['connect', 'a', 'b'], 'wrong command line: connect a b'],
    [['settings', 'all'], 'wrong command line: settings all'],
    [['--colour'], "Unknown option '--colour'"],
    [['users', 'add', 'ada', '--file'], "Option '--file <value>' argument missing"],
  ])('%j ends with 64 and shows what it can do', async (args, message) => {
    const { code, stdout, stderr } = await oncegate(args);

    expect([code, stdout]).toEqual([64, '']);
    expect(stderr.startsWith(`oncegate: ${message}`)).toBe(true);
    expect(stderr).toContain('oncegate users add <name>');
  });
});
