import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { mintApiKey } from '../../../../shared/logins/api-keys.ts';
import { fitsPattern } from '../../../../shared/ticket/pattern.ts';
import { bearer, JWT_SECRET } from '../../../support/logins/bearer.ts';
import { cpuMs } from '../../../support/machine/measure.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { until } from '../../../support/machine/wait.ts';
import { type SharedRedis, workerRedis } from '../../../support/redis/redis.ts';
import { type InProcess, runTicketService } from '../../../support/services/in-process.ts';
import { runToEnd, type ServiceProcess, startService } from '../../../support/services/services.ts';
import { type Answer, ask } from '../../../support/services/ticket-client.ts';

/** The rules of a policy: one, or several in their order. */
type Rules = object | readonly object[];

const contentOf = (rules: Rules): string => JSON.stringify({ rules: [rules].flat() });

const runWith = (rules: Rules, env: Readonly<Record<string, string>> = {}): Promise<InProcess> =>
  runTicketService({ POLICY_FILE: temporaryFile(contentOf(rules)), ...env });

const issue = async (
  service: Pick<InProcess, 'port'>,
  wish: object = {},
  credentials: string | undefined = undefined,
): Promise<Answer> =>
  ask(service, '/tickets', { method: 'POST', body: wish, credentials: credentials ?? (await bearer('ada')) });

async function recordOf(service: InProcess, answer: Answer) {
  expect([answer.status, answer.body.code]).toEqual([201, undefined]);
  return service.store.read(String(answer.body.id));
}

/** The claims of the ticket that was issued: those that somebody vouches for, and those that the caller asked for. */
async function claimsOf(service: InProcess, answer: Answer): Promise<[vouched: unknown, asked: unknown]> {
  const { claims, clientClaims } = (await recordOf(service, answer)) ?? {};
  return [claims && JSON.parse(claims), clientClaims && JSON.parse(clientClaims)];
}

function expectRefused({ status, body }: Answer, code: string, detail: string): void {
  expect({ status, ...body }).toMatchObject({ status: 403, code, detail });
}

describe('the rule for a subject', () => {
  test('is the first one that fits', async () => {
    const service = await runWith([
      { subjects: ['bob'], audiences: ['for-bob'] },
      { subjects: ['nobody', 'a*'], audiences: ['first'] },
      { subjects: ['ada'], audiences: ['second'] },
      { subjects: ['*'], audiences: ['rest'] },
    ]);
    const audienceOf = async (subject: string) =>
      (await recordOf(service, await issue(service, {}, await bearer(subject))))?.audience;

    expect(await audienceOf('ada')).toBe('first');
    expect(await audienceOf('bob')).toBe('for-bob');
    expect(await audienceOf('bobby')).toBe('rest');
  });

  test('is needed for a ticket, and for nothing else', async () => {
    const service = await runWith({ subjects: ['bob', 'Ada', 'ada*x'] });

    expectRefused(await issue(service), 'subject_refused', 'No rule of the ticket policy is for this subject.');
    expect((await ask(service, '/tickets')).status).toBe(200);
    expect((await issue(service, {}, await bearer('bob'))).status).toBe(201);
    expect(service.log).toContainEqual(
      expect.objectContaining({ event: 'refusal', code: 'subject_refused', subject: 'ada' }),
    );
  });

  test("is chosen by the ticket's subject, not by the key that asks", async () => {
    const { value, key } = mintApiKey('backend', { subjects: ['*'] }, new Date());
    const service = await runWith(
      [
        { subjects: ['ada'], audiences: ['chat'] },
        { subjects: ['backend'], audiences: ['admin'] },
      ],
      { AUTH_API_KEYS_FILE: temporaryFile(JSON.stringify({ keys: [key] })) },
    );
    const credentials = `Bearer ${value}`;

    expect(await recordOf(service, await issue(service, { subject: 'ada' }, credentials))).toMatchObject({
      audience: 'chat',
    });
    expectRefused(
      await issue(service, { subject: 'ada', audience: 'admin' }, credentials),
      'audience_refused',
      'The ticket policy does not allow this audience.',
    );
    expect((await issue(service, { subject: 'bob' }, credentials)).body.code).toBe('subject_refused');
  });
});

test('a rule without limits allows everything', async () => {
  const service = await runWith({ subjects: ['*'] });
  const answer = await issue(service, { audience: 'any', path: '/any', claims: { a: 1 }, ttl_seconds: 7 });

  expect(answer.body.expires_in).toBe(7);
  expect(await recordOf(service, answer)).toMatchObject({ audience: 'any', path: '/any', clientClaims: '{"a":1}' });
  expect((await recordOf(service, await issue(service)))?.audience).toBeUndefined();
});

describe('audiences', () => {
  test('are the only ones that may be asked for', async () => {
    const service = await runWith({ subjects: ['*'], audiences: ['chat', 'feed'] });
    const detail = 'The ticket policy does not allow this audience.';

    for (const audience of ['chat', 'feed']) {
      expect(await recordOf(service, await issue(service, { audience }))).toMatchObject({ audience });
    }
    for (const audience of ['admin', 'Chat', 'chat.', 'chatfeed']) {
      expectRefused(await issue(service, { audience }), 'audience_refused', detail);
    }
    // A ticket without an audience is admitted by a gateway without one.
    expectRefused(await issue(service), 'audience_refused', detail);
  });

  test('with one entry give it to a ticket that asks for none', async () => {
    const service = await runWith({ subjects: ['*'], audiences: ['chat'] });

    expect(await recordOf(service, await issue(service))).toMatchObject({ audience: 'chat' });
    expect((await issue(service, { audience: 'feed' })).body.code).toBe('audience_refused');
  });

  test('of the key and of the policy must both allow it', async () => {
    const { value, key } = mintApiKey('backend', { audiences: ['chat', 'feed'] }, new Date());
    const service = await runWith(
      { subjects: ['*'], audiences: ['feed', 'admin'] },
      { AUTH_API_KEYS_FILE: temporaryFile(JSON.stringify({ keys: [key] })) },
    );
    const statusOf = async (audience: string) => (await issue(service, { audience }, `Bearer ${value}`)).status;

    expect([await statusOf('chat'), await statusOf('feed'), await statusOf('admin')]).toEqual([403, 201, 403]);
  });
});

describe('paths', () => {
  const detail = 'The ticket policy does not allow this path. Ask for one that it does.';

  test('are the only ones that may be asked for, and a ticket must ask for one', async () => {
    const service = await runWith({ subjects: ['*'], paths: ['/lobby', '/room/*', '/*/public'] });
    for (const path of ['/lobby', '/room/', '/room/7', '/room/7/8', '/a/public', '/a/b/public']) {
      expect(await recordOf(service, await issue(service, { path }))).toMatchObject({ path });
    }
    for (const path of ['/', '/public', '/lobby/', '/Lobby', '/rooms', '/room', '/a/publicity', '/lobby%20']) {
      expectRefused(await issue(service, { path }), 'path_refused', detail);
    }
    expectRefused(await issue(service), 'path_refused', detail);
  });

  test('have to fit as a back end reads them that cuts path parameters off', async () => {
    const service = await runWith({ subjects: ['*'], paths: ['/*-public', '/room/*'] });

    expect((await issue(service, { path: '/room/7;v=1' })).status).toBe(201);
    expectRefused(await issue(service, { path: '/secret;-public' }), 'path_refused', detail);
    expectRefused(await issue(service, { path: '/secret%3B-public' }), 'path_refused', detail);
  });

  test.each(['/room/../admin', '/room/%2e%2e/admin', '/room/./7', '/room//../../admin', '/room/\\..\\admin'])(
    'are not escaped from by %s',
    async (path) => {
      const service = await runWith({ subjects: ['*'], paths: ['/room/*'] });

      expect((await issue(service, { path })).status).toBe(422);
    },
  );
});

describe('max_ttl_seconds', () => {
  test('shortens every ticket, and lengthens none', async () => {
    const service = await runWith({ subjects: ['*'], max_ttl_seconds: 10 });
    const ttlOf = async (wish: object) => (await issue(service, wish)).body.expires_in;

    expect(await ttlOf({})).toBe(10);
    expect(await ttlOf({ ttl_seconds: 30 })).toBe(10);
    expect(await ttlOf({ ttl_seconds: 10 })).toBe(10);
    expect(await ttlOf({ ttl_seconds: 3 })).toBe(3);
  });

  test('is never longer than that of the service', async () => {
    const service = await runWith({ subjects: ['*'], max_ttl_seconds: 300 }, { TICKET_TTL_SECONDS: '20' });

    expect((await issue(service)).body.expires_in).toBe(20);
  });
});

describe('claims', () => {
  const withRole = (value: unknown) => bearer('ada', '5m', { role: value });

  test('are added, apart from those that were asked for', async () => {
    const service = await runWith({ subjects: ['*'], add_claims: { role: 'guest', list: [1, { a: null }] } });
    const added = { role: 'guest', list: [1, { a: null }] };
    const wish = { claims: { role: 'admin', a: 1 } };

    expect(await claimsOf(service, await issue(service))).toEqual([added, undefined]);
    expect(await claimsOf(service, await issue(service, wish))).toEqual([added, wish.claims]);
  });

  test('are dropped from those that were asked for, and from no others', async () => {
    const service = await runWith({ subjects: ['*'], drop_claims: ['role', 'absent'] }, { AUTH_CLAIMS: 'role' });
    const wish = { claims: { role: 'admin', Role: 1, a: { role: 2 } } };

    expect(await claimsOf(service, await issue(service, wish, await withRole('reader')))).toEqual([
      { role: 'reader' },
      { Role: 1, a: { role: 2 } },
    ]);
    expect(await claimsOf(service, await issue(service, { claims: { role: 'admin' } }))).toEqual([undefined, {}]);
    expect(await claimsOf(service, await issue(service))).toEqual([undefined, undefined]);
  });

  test('that the policy adds replace those of the credentials', async () => {
    const service = await runWith(
      { subjects: ['*'], add_claims: { role: 'guest' }, drop_claims: ['role'] },
      { AUTH_CLAIMS: 'role' },
    );
    const answer = await issue(service, { claims: { role: 'admin' } }, await withRole('reader'));

    expect(await claimsOf(service, answer)).toEqual([{ role: 'guest' }, {}]);
  });

  test('of an API key are vouched for, less those that are dropped', async () => {
    const { value, key } = mintApiKey('backend', { subjects: ['*'] }, new Date());
    const service = await runWith(
      { subjects: ['*'], add_claims: { plan: 'free' }, drop_claims: ['role'] },
      { AUTH_API_KEYS_FILE: temporaryFile(JSON.stringify({ keys: [key] })) },
    );
    const wish = { subject: 'ada', claims: { role: 'admin', room: 7, plan: 'gold' } };

    expect(await claimsOf(service, await issue(service, wish, `Bearer ${value}`))).toEqual([
      { room: 7, plan: 'free' },
      undefined,
    ]);
  });

  test('have a limit of their own, and those that were asked for have theirs', async () => {
    const text = 'x'.repeat(3_000);
    const service = await runWith({ subjects: ['*'], add_claims: { text } }, { AUTH_CLAIMS: 'role' });
    const answer = await issue(service, {}, await withRole(text));

    expect((await issue(service, { claims: { more: text } })).status).toBe(201);
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([
      {
        pointer: '#/claims',
        detail: 'must be at most 4096 bytes as JSON, with those that the credentials and the policy add',
      },
    ]);
  });
});

describe('a bad policy file', () => {
  const env = (content: string) => ({
    REDIS_URL: 'redis://127.0.0.1:1',
    AUTH_JWT_SECRET: JWT_SECRET,
    POLICY_FILE: temporaryFile(content),
  });

  test('is reported with the path of every fault, before anything listens', async () => {
    const content = JSON.stringify({
      rules: [
        { subject: ['ada'], subjects: [], audiences: ['a b', ''], paths: ['room', '/a b', 7] },
        {
          subjects: ['', 'x'.repeat(257), 1],
          audiences: [],
          paths: [],
          max_ttl_seconds: 301,
          add_claims: [],
          drop_claims: [''],
        },
        { subjects: '*', max_ttl_seconds: 1.5, add_claims: { a: { constructor: 1 } } },
        { add_claims: { text: 'x'.repeat(4_096) } },
      ],
      version: 1,
    });
    const { code, stdout, stderr } = await runToEnd('ticket', { ...env(content), TICKET_TTL_SECONDS: '0' });
    const lines = stderr.trimEnd().split('\n');

    expect([code, stdout]).toEqual([78, '']);
    expect(lines[0]).toMatch(/^TICKET_TTL_SECONDS: /);
    const paths = lines.slice(1).map((line) => /^POLICY_FILE: ([^:]+): \S/.exec(line)?.[1]);
    expect([...paths].sort()).toEqual(
      [
        ...['rules.0.subjects', 'rules.0.audiences.0', 'rules.0.audiences.1'],
        ...['rules.0.paths.0', 'rules.0.paths.1', 'rules.0.paths.2', 'rules.0'],
        ...['rules.1.subjects.0', 'rules.1.subjects.1', 'rules.1.subjects.2', 'rules.1.audiences', 'rules.1.paths'],
        ...['rules.1.max_ttl_seconds', 'rules.1.add_claims', 'rules.1.drop_claims.0'],
        ...['rules.2.subjects', 'rules.2.max_ttl_seconds', 'rules.2.add_claims'],
        ...['rules.3.subjects', 'rules.3.add_claims', 'the file'],
      ].sort(),
    );
  });

  test.each([
    ['', /^POLICY_FILE: must be JSON: /],
    ['{"rules":', /^POLICY_FILE: must be JSON: /],
    ['[]', /^POLICY_FILE: the file: /],
    ['null', /^POLICY_FILE: the file: /],
    ['{}', /^POLICY_FILE: rules: /],
    ['{"rules":[]}', /^POLICY_FILE: rules: /],
    ['{"rules":[null]}', /^POLICY_FILE: rules\.0: /],
    ['{"rules":[{"subjects":["*"],"paths":["/%61dmin/*"]}]}', /^POLICY_FILE: rules\.0\.paths\.0: must not /],
    [
      '{"rules":[{"subjects":["*"],"add_claims":{"__proto__":{"admin":true}}}]}',
      /^POLICY_FILE: rules\.0\.add_claims: /,
    ],
    ['{"rules":[{"subjects":["*"],"__proto__":{"audiences":["chat"]}}]}', /^POLICY_FILE: rules\.0: /],
  ])('stops the start: %s', async (content, fault) => {
    const { code, stdout, stderr } = await runToEnd('ticket', env(content));

    expect([code, stdout]).toEqual([78, '']);
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(fault)]);
  });

  test('that does not exist prevents the start', async () => {
    const { code, stderr } = await runToEnd('ticket', { ...env('{}'), POLICY_FILE: '/absent/policy.json' });

    expect([code, stderr]).toEqual([
      78,
      'POLICY_FILE: must be the path of a readable file in UTF-8, not "/absent/policy.json"\n',
    ]);
  });

  test('may name its schema', async () => {
    const content = JSON.stringify({ $schema: './policy.schema.json', rules: [{ subjects: ['*'] }] });

    expect((await issue(await runTicketService({ POLICY_FILE: temporaryFile(content) }))).status).toBe(201);
  });
});

describe('SIGHUP', () => {
  let redis: SharedRedis;
  let service: ServiceProcess;
  let path: string;

  beforeAll(async () => {
    redis = await workerRedis();
    path = temporaryFile(contentOf({ subjects: ['ada'], audiences: ['before'] }));
    service = await startService('ticket', {
      REDIS_URL: redis.url,
      AUTH_JWT_SECRET: JWT_SECRET,
      POLICY_FILE: path,
    });
    await until(async () => (await fetch(`http://127.0.0.1:${service.adminPort}/readyz`)).ok);
  });

  const statusOf = async (audience: string): Promise<number> => (await issue(service, { audience })).status;
  const told = (event: string) => service.log.filter((line) => line.event === event);

  async function reload(event: string): Promise<unknown> {
    const before = told(event).length;
    service.signal('SIGHUP');
    await until(() => told(event).length === before + 1);
    return told(event).at(-1);
  }

  test('reads the file again, and not before', async () => {
    writeFileSync(path, contentOf({ subjects: ['ada'], audiences: ['after'] }));
    expect([await statusOf('before'), await statusOf('after')]).toEqual([201, 403]);

    expect(await reload('file_loaded')).toMatchObject({ level: 'info', setting: 'POLICY_FILE' });
    expect([await statusOf('before'), await statusOf('after')]).toEqual([403, 201]);
  });

  test('keeps the old policy if the new one is bad, and logs its faults', async () => {
    writeFileSync(path, contentOf({ subjects: ['ada'], audiences: ['good'] }));
    await reload('file_loaded');
    const good = readFileSync(path);

    writeFileSync(path, '{"rules":[{"subjects":["*"],"audiences":["a b"],"paths":[]}]}');
    expect(await reload('file_refused')).toMatchObject({
      level: 'error',
      setting: 'POLICY_FILE',
      faults: [expect.stringMatching(/^rules\.0\.audiences\.0: /), expect.stringMatching(/^rules\.0\.paths: /)],
    });
    expect([await statusOf('good'), await statusOf('a.b')]).toEqual([201, 403]);

    rmSync(path);
    expect(await reload('file_refused')).toMatchObject({ level: 'error', faults: ['cannot be read'] });
    expect(await statusOf('good')).toBe(201);

    writeFileSync(path, good);
    await reload('file_loaded');
    expect(await statusOf('good')).toBe(201);
  });
});

describe('a pattern', () => {
  test.each<readonly [pattern: string, fits: readonly string[], others: readonly string[]]>([
    ['', [''], ['a']],
    ['a', ['a'], ['', 'A', 'aa', 'b']],
    ['*', ['', 'a', 'ab', '*', 'a\nb', '🎟'], []],
    ['**', ['', 'a'], []],
    ['a*', ['a', 'ab', 'a*'], ['', 'ba']],
    ['*a', ['a', 'ba'], ['', 'ab']],
    ['a*a', ['aa', 'aba'], ['a', 'ab']],
    ['a*b*c', ['abc', 'a-b-c', 'abbc', 'abcbc'], ['ac', 'acb', 'abcd']],
    ['ab*ba', ['abba', 'ab-ba'], ['aba', 'ab', 'ba']],
    ['*ab*ab*', ['abab', 'xabyabz'], ['ab', 'aab', 'aba']],
    ['a*bc*c', ['abcc', 'abcbcc'], ['abc']],
    [
      'user-*@example.org',
      ['user-@example.org', 'user-7@example.org'],
      ['user-7@example.org.evil', 'user@example.org'],
    ],
    // No other character is special.
    ['a.c', ['a.c'], ['abc']],
    ['[a]+?$', ['[a]+?$'], ['a']],
    ['a?', ['a?'], ['a', 'ab']],
    ['\\*', ['\\', '\\x'], ['*']],
  ])('%j', (pattern, fits, others) => {
    for (const value of fits) expect([value, fitsPattern(value, pattern)]).toEqual([value, true]);
    for (const value of others) expect([value, fitsPattern(value, pattern)]).toEqual([value, false]);
  });

  test('cannot be made to hang', () => {
    const cost = (size: number) =>
      cpuMs(() => expect(fitsPattern('a'.repeat(2 * size), `${'a*'.repeat(size)}b`)).toBe(false));

    // Twice as long, of both: four times the work at the most.
    expect(cost(4_096)).toBeLessThan(7 * cost(2_048));
    expect(fitsPattern('a'.repeat(100_000), `*${'a*'.repeat(127)}b*`)).toBe(false);
  });
});
