import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { closeCodes, closeReasons } from '../../../shared/close-codes.ts';
import { refusalCodes, refusals } from '../../../shared/refusals.ts';
import { createKeys } from '../../../shared/store/keys.ts';
import { type ScriptName, scriptNames, scriptSource } from '../../../shared/store/scripts.ts';
import { type SharedRedis, workerRedis } from '../../support/redis/redis.ts';
import { parseScript, unnamedOutcomes } from './lua-header.ts';
import { mint, WRONG_SECRET } from './requests.ts';

// redis/redis-store.service.test.ts checks that the contract suite exercises every return in the headers, and that
// scripts touch only declared keys.

const directory = new URL('../../../shared/store/scripts/', import.meta.url);
const prelude = readFileSync(new URL('prelude.lua', directory), 'utf8');
const COMMENT = /--\[\[.*?\]\]|--[^\n]*/gs;

/** The literal numbers that an array is indexed with. */
function literalIndexes(array: string, body: string): number[] {
  const found = [...body.matchAll(new RegExp(`\\b${array}\\[(\\d+)\\]`, 'g'))].map((match) => Number(match[1]));
  return [...new Set(found)].sort((a, b) => a - b);
}

/** What a script passes to `redis.call` as the key. */
function keyExpressions(body: string): string[] {
  return [...body.matchAll(/redis\.call\('(\w+)'(?:,\s*([^,)\s]+))?/g)]
    .filter(([, command]) => command !== 'TIME')
    .map(([, , key = 'none']) => key);
}

test('the directory has one file for each script, and the prelude', () => {
  expect(readdirSync(directory).sort()).toStrictEqual([...scriptNames, 'prelude'].map((name) => `${name}.lua`).sort());
});

for (const name of scriptNames) {
  const script = parseScript(name);
  const body = script.body.replace(COMMENT, '');

  describe(`${name}.lua`, () => {
    test('numbers its keys and values without a gap', () => {
      const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

      expect(script.keys.length).toBeGreaterThan(0);
      expect(script.keys).toStrictEqual(upTo(script.keys.length));
      expect(script.values).toStrictEqual(upTo(script.values.length));
    });

    test('uses every key in its header and no other', () => {
      const stated = script.moreKeys ? script.keys.slice(0, -1) : script.keys;
      expect(literalIndexes('KEYS', body)).toStrictEqual(stated);
      // Only a script with any number of keys computes an index.
      expect(/\bKEYS\[(?!\d+\])/.test(body)).toBe(script.moreKeys);
    });

    test('uses every value in its header and no other', () => {
      const stated = script.moreValues ? script.values.slice(0, -1) : script.values;
      expect(literalIndexes('ARGV', body)).toStrictEqual(stated);
    });

    test('passes only its keys to Redis as keys', () => {
      const aliases = new Set([...body.matchAll(/\bkey = KEYS\[/g)].map(() => 'oldest.key'));
      for (const expression of keyExpressions(body)) {
        expect(expression.startsWith('KEYS[') || aliases.has(expression), expression).toBe(true);
      }
      for (const [, argument = ''] of body.matchAll(
        /\b(?:note_attempt|keep_until|members_of|end_ticket|drop_bindings)\(([^,)]+)/g,
      )) {
        expect(argument).toMatch(/^KEYS\[\d+\]$/);
      }
    });

    if (name in unnamedOutcomes) return; // it returns what there is
    test('lists the outcomes that it returns and no others', () => {
      const inBody = [
        ...body.matchAll(/\breturn \{ '(\w+)'/g),
        ...body.matchAll(/\b(?:refuse|refuse_spent)\('(\w+)'\)/g),
      ].map(([, code = '']) => code);
      const listed = script.outcomes.map((outcome) => outcome.split(' ')[0]);

      expect([...new Set(inBody)].sort()).toStrictEqual([...new Set(listed)].sort());
    });
  });
}

test('the prelude passes only the key that it was given to Redis', () => {
  expect([...new Set(keyExpressions(prelude.replace(COMMENT, '')))].sort()).toStrictEqual(['history', 'key', 'ticket']);
});

describe('the source of a script', () => {
  test('contains the statuses and close codes of the tables', () => {
    const source = scriptSource('note');

    for (const code of refusalCodes) expect(source).toContain(` ${code} = ${refusals[code].status}`);
    for (const reason of closeReasons) expect(source).toContain(` ${reason} = ${closeCodes[reason].code}`);
    expect(source).toContain(' admitted = 101');
  });

  test('contains no other status or close code', () => {
    for (const name of scriptNames) {
      expect(parseScript(name).body.replace(COMMENT, ''), name).not.toMatch(/\b(?:[1345]\d\d|10\d\d|30\d\d)\b/);
    }
  });
});

describe('the raw reply', () => {
  let redis: SharedRedis;
  const keys = createKeys('raw:');
  const ticket = mint();
  const other = mint();

  beforeAll(async () => {
    redis = await workerRedis();
  });

  function run(name: ScriptName, scriptKeys: readonly string[], ...values: Array<string | number>): Promise<unknown> {
    return redis.client.eval(scriptSource(name), scriptKeys.length, ...scriptKeys, ...values);
  }
  const all = ({ id }: { id: string }): string[] => [
    keys.ticket(id),
    keys.connections(id),
    keys.pending(id),
    keys.history(id),
  ];
  const issue = ({ id, secretSha256 }: typeof ticket, ...fields: string[]): Promise<unknown> => {
    const hash = ['secret_sha256', secretSha256, ...fields];
    return run(
      'issue',
      [keys.ticket(id), keys.pending(id), keys.history(id)],
      id,
      'ada',
      30_000,
      60_000,
      '',
      '',
      2,
      1_000,
      9,
      ...hash,
    );
  };
  const consume = (
    { id, secretSha256 }: typeof ticket,
    { attempt = 'attempt-1', limit = 0, records = [] as string[], secret = secretSha256 } = {},
  ): Promise<unknown> => {
    const presented = [id, secret, attempt, 'gateway-1', '', '/', '', '', 0, limit, 'replace', 60_000, 1_000];
    return run('consume', [...all({ id }), ...records.map((record) => keys.ticket(record))], ...presented, ...records);
  };

  test('of issue has whole milliseconds', async () => {
    await redis.client.flushall();
    const reply = await issue(ticket);

    expect(reply).toStrictEqual(['issued', expect.any(Number), expect.any(Number), expect.any(Number), []]);
    const [, issuedAt, expiresAt, sessionExpiresAt] = reply as number[]; // just compared
    expect(Number(expiresAt) - Number(issuedAt)).toBe(30_000);
    expect(Number(sessionExpiresAt) - Number(issuedAt)).toBe(60_000);
    expect(await issue(ticket)).toStrictEqual(['id_taken']);
    await issue(other);
    expect(await issue(mint())).toStrictEqual(['pending_limit', expect.any(Number)]);
  });

  test('of consume has empty strings for absent fields', async () => {
    await redis.client.flushall();
    await issue(ticket);

    expect(await consume(ticket, { secret: WRONG_SECRET })).toStrictEqual(['ticket_unknown']);
    expect(await consume(ticket)).toStrictEqual([
      'admitted',
      'ada',
      '',
      '',
      '',
      expect.any(Number),
      expect.any(Number),
      [],
    ]);
    expect(await consume(ticket, { attempt: 'attempt-2' })).toStrictEqual(['ticket_consumed', 'ada']);
  });

  test('of consume asks for the records of the open connections before it replaces one', async () => {
    await redis.client.flushall();
    await issue(ticket);
    await consume(ticket);
    await issue(other);
    const before = await redis.client.hgetall(keys.ticket(other.id));

    expect(await consume(other, { limit: 1 })).toStrictEqual(['replace', [ticket.id]]);
    expect(await redis.client.hgetall(keys.ticket(other.id))).toStrictEqual(before);
    // A record that is no longer in the set does not count.
    expect(await consume(other, { limit: 1, records: [mint().id] })).toStrictEqual(['replace', [ticket.id]]);
    expect(await consume(other, { limit: 1, records: [ticket.id, mint().id] })).toStrictEqual([
      ...['admitted', 'ada', '', '', '', expect.any(Number), expect.any(Number)],
      [ticket.id, 'gateway-1'],
    ]);
  });

  test('of consume asks again if the record of an open connection is missing', async () => {
    await redis.client.flushall();
    const late = mint();
    for (const connection of [ticket, other]) {
      await issue(connection);
      await consume(connection);
    }
    await issue(late);

    // One has to be replaced, and the one that was left out may be the oldest.
    const outcome = await consume(late, { limit: 2, records: [other.id] });
    expect(outcome).toStrictEqual(['replace', expect.arrayContaining([ticket.id, other.id])]);
    expect(await redis.client.hget(keys.ticket(other.id), 'state')).toBe('open');
  });

  test('of lease, renew, close and revoke is what their headers say', async () => {
    await redis.client.flushall();
    await issue(ticket);
    await consume(ticket);
    const [id, ticketKey, connectionsKey] = [ticket.id, keys.ticket(ticket.id), keys.connections(ticket.id)];
    const leaseValues = [id, 'attempt-1', 'gateway-1', 'ada', 1, 2, 60_000, 1_000];

    expect(await run('lease', all(ticket), ...leaseValues)).toStrictEqual(['held', expect.any(Number)]);
    const renewed = ['renewed', expect.any(Number), 'gateway-1'];
    expect(await run('renew', [ticketKey], 'ada', 1_000, '', '', 0, 0)).toStrictEqual(renewed);
    expect(await run('renew', [ticketKey], 'ada', 1_000, 7, '', 0, 0)).toStrictEqual(['renewed', 7, 'gateway-1']);
    expect(await run('renew', [ticketKey], 'ada', 1_000, '', '', 0, 1)).toStrictEqual(['renewed', 7, 'gateway-1']);
    expect(await run('revoke', [ticketKey, keys.pending(id), keys.history(id)], id, '', 1_000)).toStrictEqual([
      'closing',
      'gateway-1',
    ]);
    expect(await run('lease', all(ticket), ...leaseValues)).toStrictEqual(['ended', 'revoked']);
    const closeValues = [id, 'attempt-1', 1000, '', 1_000];
    expect(await run('close', [ticketKey, connectionsKey, keys.history(id)], ...closeValues)).toStrictEqual(['closed']);
    expect(await run('close', [ticketKey, connectionsKey, keys.history(id)], ...closeValues)).toStrictEqual([
      'already_closed',
    ]);
    expect(await run('revoke', [ticketKey, keys.pending(id), keys.history(id)], id, '', 1_000)).toStrictEqual([
      'ended',
    ]);
  });

  test('of read has the time of Redis, and no fields if there is no record', async () => {
    await redis.client.flushall();
    const read = () => run('read', [keys.ticket(ticket.id), keys.connections(ticket.id)], ticket.id);
    const [seconds] = await redis.client.time();

    expect(await read()).toStrictEqual([expect.any(Number), 0]);
    await issue(ticket);
    await consume(ticket);
    const [now, deadline, ...pairs] = (await read()) as [number, number, ...string[]]; // the reply of read.lua
    expect(Math.abs(now / 1_000 - Number(seconds))).toBeLessThan(10);
    expect(deadline).toBeGreaterThan(now);
    expect(pairs.length % 2).toBe(0);
    expect(pairs).toContain('secret_sha256');
  });

  test('of count is two whole numbers, both 0 if nothing has been counted', async () => {
    await redis.client.flushall();
    const key = keys.rate('address', '192.0.2.1');
    const count = (add: number) => run('count', [key], 60_000, add);

    expect(await count(0)).toStrictEqual([0, 0]);
    expect(await redis.client.exists(key)).toBe(0);
    expect(await count(1)).toStrictEqual([1, 60_000]);
    expect(await redis.client.get(key)).toBe('1');
    await redis.client.pexpire(key, 5_000);
    expect(await count(1)).toStrictEqual([2, expect.any(Number)]);
    expect(await count(0)).toStrictEqual([2, expect.any(Number)]);
    expect(await redis.client.pttl(key)).toBeLessThanOrEqual(5_000);
  });

  test.each([0, 1])('of count has an end even if the key has lost its expiry (%i more)', async (add) => {
    await redis.client.flushall();
    const key = keys.rate('name', 'ada');
    await redis.client.set(key, 7);

    expect(await run('count', [key], 60_000, add)).toStrictEqual([7 + add, 60_000]);
    expect(await redis.client.pttl(key)).toBeGreaterThan(0);
  });

  test('is an error, and nothing is written, if an outcome is not in the table', async () => {
    await redis.client.flushall();
    await issue(ticket);
    const before = await redis.client.hgetall(keys.ticket(ticket.id));
    const note = run('note', [keys.ticket(ticket.id)], ticket.secretSha256, 'no_such_code', 'g', '', '');

    await expect(note).rejects.toThrow();
    expect(await redis.client.hgetall(keys.ticket(ticket.id))).toStrictEqual(before);
  });
});
