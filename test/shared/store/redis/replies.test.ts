import { describe, expect, test } from 'vitest';
import { RedisStore, type RedisStoreOptions } from '../../../../shared/store/redis/redis-store.ts';
import type { Reply } from '../../../../shared/store/redis/replies.ts';
import type { ScriptName } from '../../../../shared/store/scripts.ts';
import type { TicketStore } from '../../../../shared/store/store.ts';
import { DEFAULTS } from '../contract/harness.ts';
import { consumeOf, issueOf, mint, noteOf } from '../requests.ts';

const ticket = mint();
const other = mint().id;
const held = { ...ticket, attemptId: 'attempt-1', gatewayId: 'gateway-1' };
const record = Object.entries({
  subject: 'ada',
  state: 'open',
  attempt: 'attempt-1:admitted',
  issued_at: '1',
  expires_at: '2',
  session_expires_at: '3',
  gateway: 'gateway-1',
  opened_at: '4',
  closed_at: '5',
  close_code: '1000',
  attempts: '1',
  last_attempt_at: '4',
  last_attempt_outcome: 'admitted',
  last_attempt_status: '101',
  last_attempt_gateway: 'gateway-1',
});

interface Operation {
  readonly script: ScriptName;
  readonly ask: (store: TicketStore) => Promise<unknown>;
  /** One for each return in the header of the script. */
  readonly replies: readonly Reply[];
}

const operations: readonly Operation[] = [
  {
    script: 'issue',
    ask: (store) => store.issue(issueOf(ticket)),
    replies: [['issued', 1, 2, 3, []], ['issued', 1, 2, 3, [`${other}:1:ada`]], ['pending_limit', 1], ['id_taken']],
  },
  {
    script: 'consume',
    ask: (store) => store.consume(consumeOf(ticket)),
    replies: [
      ['admitted', 'ada', '', '{}', '', 1, 2, []],
      ['admitted', 'ada', 'chat', '', '{"room":7}', 1, 2, [other, 'gateway-2']],
      ['ticket_unknown'],
      ['ticket_consumed', 'ada'],
      ['connection_limit', 'ada'],
    ],
  },
  { script: 'note', ask: (store) => store.note(noteOf(ticket)), replies: [['noted', 'ada'], ['ticket_unknown']] },
  {
    script: 'refuse',
    ask: (store) => store.refuse({ ...held, outcome: 'upstream_timeout', status: 504 }),
    replies: [['refused'], ['not_held']],
  },
  {
    script: 'close',
    ask: (store) => store.close({ ...held, closeCode: 1000, closeReason: '' }),
    replies: [['closed'], ['already_closed'], ['not_held']],
  },
  {
    script: 'revoke',
    ask: (store) => store.revoke(ticket),
    replies: [['revoked'], ['closing', 'gateway-1'], ['ended'], ['unknown']],
  },
  {
    script: 'renew',
    ask: (store) => store.renew({ ...ticket, maxSessionMs: 1 }),
    replies: [['renewed', 1, 'gateway-1'], ['not_open'], ['unknown']],
  },
  {
    script: 'lease',
    ask: (store) => store.lease({ ...held, openedAt: 1, sessionExpiresAt: 2 }),
    replies: [['held', 1], ['restored'], ['ended', 'revoked'], ['ended', 'replaced']],
  },
  {
    script: 'read',
    ask: (store) => store.read(ticket.id),
    replies: [
      [1, 0],
      [1, 2, ...record.flat()],
    ],
  },
  {
    script: 'list',
    ask: (store) => store.list('ada'),
    replies: [[1]],
  },
  {
    script: 'count',
    ask: (store) => store.count({ kind: 'failures', key: 'ada', windowMs: 1, add: 1 }),
    replies: [[1, 2]],
  },
];

/** Replies that no script returns. */
const GARBAGE: readonly Reply[] = [null, '', 'OK', 0, 1, [], [null], [[]], [''], ['no_such_code'], ['constructor']];

describe.each(operations)('an answer to $script', ({ script, ask, replies }) => {
  test('is accepted if the header lists it', async () => {
    for (const reply of replies) await expect(ask(storeAnswering(reply).store)).resolves.not.toBeUndefined();
  });

  test('is a fault otherwise, and never an outcome', async () => {
    for (const reply of [...GARBAGE, ...replies.flatMap((reply) => garblings(script, reply))]) {
      const failure: unknown = await ask(storeAnswering(reply).store).catch((error: unknown) => error);
      const expected = expect.objectContaining({ name: expect.stringMatching(/^(UnknownReply|MalformedRecord)$/) });
      expect(failure, JSON.stringify(reply)).toEqual(expected);
    }
  });
});

describe('a list', () => {
  test('with a malformed record is a fault', async () => {
    const store = storeAnswering([1, [2, ...record.flat().with(3, 'ajar')]], [`${ticket.id}:1:ada`]).store;
    await expect(store.list('ada')).rejects.toMatchObject({ name: 'MalformedRecord' });
  });
});

test('the message of a fault repeats nothing of the reply or the record', async () => {
  const secret = 'card 4111';
  const replies = [
    ['admitted', 'ada', '', '', secret, 'soon', 2, []],
    [1, 2, ...record.flat().with(1, '').with(3, secret)],
  ] as const;
  for (const [index, ask] of [consuming, reading].entries()) {
    const failure: unknown = await ask(storeAnswering([...(replies[index] ?? [])] as Reply).store).catch(String);
    expect(failure).toContain(index === 0 ? 'consume.lua' : ticket.id);
    expect(failure).not.toContain(secret);
  }
});

test('a consume that is answered with garbage closes what it may have opened', async () => {
  const { store, sentOff } = storeAnswering(['admitted']);
  const request = consumeOf(ticket);
  await expect(store.consume(request)).rejects.toMatchObject({ name: 'UnknownReply' });

  expect(sentOff).toHaveLength(1);
  expect(sentOff[0]).toMatchObject({ name: 'close' });
  expect(sentOff[0]?.values).toEqual(expect.arrayContaining([ticket.id, request.attemptId, 1006, 'gateway_fault']));
});

test('a gateway is not announced if one command of the transaction fails', async () => {
  const { store } = storeAnswering(null);
  const status = { gatewayId: 'gateway-1', startedAt: 1, version: '1', connections: 0, draining: false };
  await expect(store.announce(status)).rejects.toThrow('WRONGTYPE');
});

const consuming = (store: TicketStore): Promise<unknown> => store.consume(consumeOf(ticket));
const reading = (store: TicketStore): Promise<unknown> => store.read(ticket.id);

/** Every reply that differs in one element from a valid one, and is not valid itself. */
function garblings(script: ScriptName, reply: Reply): Reply[] {
  if (!Array.isArray(reply)) throw new Error('scripts return lists');
  const whole =
    script === 'read'
      ? []
      : [
          [...reply, 'more'],
          [...reply, null],
        ];
  return [
    ...whole,
    ...reply.flatMap((element, index) => {
      const others: Reply[] = typeof element === 'number' ? ['1', -1, 0.5, null, []] : [7, null];
      if (Array.isArray(element)) others.push('', [other], [7, 'gateway-2'], [other, null]);
      const named = script === 'read' && index >= 2;
      const values = named && index % 2 === 1 ? recordGarbage(String(reply[index - 1])) : [];
      const replaced = [...others, ...values].map((value) => reply.with(index, value));
      const cut = script === 'read' && (index === 2 || index % 2 === 0) ? [] : [reply.slice(0, index)];
      return [...replaced, ...cut];
    }),
  ];
}

/** Values that a field of a record never has. */
function recordGarbage(field: string): string[] {
  switch (field) {
    case 'state':
      return ['', 'ajar', 'Open', 'constructor'];
    case 'subject':
    case 'last_attempt_gateway':
      return [''];
    case 'last_attempt_outcome':
      return ['', 'no_such_code', 'toString'];
    case 'attempt':
    case 'gateway':
      return [];
    default:
      return ['', 'soon', '-1', '1.5', '1e3', ' 1', 'NaN'];
  }
}

/** A store to which every script returns this reply. */
function storeAnswering(reply: Reply, members: readonly string[] = []) {
  const sentOff: Array<{ name: ScriptName; values: ReadonlyArray<string | number> }> = [];
  const transaction = {
    hget: () => transaction,
    hset: () => transaction,
    pexpire: () => transaction,
    exec: async () => WRONG_TYPE,
  };
  const client = { zrange: async (key: string) => (key.includes('pending') ? members : []), multi: () => transaction };
  const link = {
    ready: true,
    script: async () => reply,
    run: (operation: (client: never) => unknown) => operation(client as never), // only what the store asks of it
    sendOff: (name: ScriptName, _keys: readonly string[], values: ReadonlyArray<string | number>) => {
      sentOff.push({ name, values });
    },
    subscribe: () => ({ end: () => {} }),
    end: () => {},
  } as RedisStoreOptions['link'];
  return { store: new RedisStore({ ...DEFAULTS, link, keyPrefix: 'test:' }), sentOff };
}

const WRONG_TYPE = [
  [new Error('WRONGTYPE'), null],
  [null, 0],
];
