import { describe, expect, test } from 'vitest';
import { SimulatedStore } from '../../../services/standalone/simulated-store.ts';
import { MemoryStore } from '../../../shared/store/memory/memory-store.ts';
import { StoreUnavailable } from '../../../shared/store/store.ts';
import { describeStore } from '../../shared/store/contract/contract.ts';
import { DEFAULTS, type Harness } from '../../shared/store/contract/harness.ts';
import { COLLIDING, closeOf, consumeOf, issued, noteOf, opened } from '../../shared/store/requests.ts';

function createHarness(): Harness {
  let time = 1_800_000_000_000;
  const now = () => time;
  return {
    createStore: async (options) => new SimulatedStore(new MemoryStore({ ...DEFAULTS, ...options, now }), now),
    async advance(ms) {
      time += ms;
    },
    now: async () => time,
    async snapshot(store, id) {
      const record = await store.read(id);
      return { record, list: (await store.list(record?.subject ?? '')).records };
    },
    async listening() {},
  };
}

// Without a simulation it behaves like the store behind it.
describeStore('the simulated store', async () => createHarness());

/** A store on a clock that only the test moves. */
function create() {
  let time = 1_800_000_000_000;
  const now = () => time;
  const store = new SimulatedStore(new MemoryStore({ ...DEFAULTS, now }), now);
  return {
    store,
    pass: (ms: number) => {
      time += ms;
    },
  };
}

describe('a store that is stopped for one subject', () => {
  test("fails every operation on that subject's tickets", async () => {
    const { store } = create();
    const unspent = await issued(store, {}, 'ada');
    const held = await opened(store, {}, 'ada');
    store.stopStore('ada', 5);
    const { id } = unspent;
    const subject = 'ada';
    const asked: ReadonlyArray<readonly [string, Promise<unknown>]> = [
      ['issue', issued(store, {}, subject)],
      ['consume', store.consume(consumeOf(unspent))],
      ['note', store.note(noteOf(unspent))],
      ['close', store.close(closeOf(held))],
      ['revoke', store.revoke({ id, subject })],
      ['renew', store.renew({ id, subject, maxSessionMs: 1_000 })],
      ['lease', store.lease(held)],
      ['read', store.read(id)],
      ['list', store.list(subject)],
    ];

    for (const [operation, answer] of asked) {
      await expect(answer, operation).rejects.toBeInstanceOf(StoreUnavailable);
    }
  });

  test('spends nothing meanwhile', async () => {
    const { store, pass } = create();
    const ticket = await issued(store, {}, 'ada');
    store.stopStore('ada', 5);
    await expect(store.consume(consumeOf(ticket))).rejects.toBeInstanceOf(StoreUnavailable);
    pass(5_000);

    expect(await store.read(ticket.id)).toMatchObject({ state: 'issued', attempts: 0 });
    expect(await store.consume(consumeOf(ticket))).toMatchObject({ code: 'admitted' });
  });

  test('answers again after the time, and not before', async () => {
    const { store, pass } = create();
    const ticket = await issued(store, {}, 'ada');
    store.stopStore('ada', 5);
    pass(4_999);
    await expect(store.read(ticket.id)).rejects.toBeInstanceOf(StoreUnavailable);
    pass(1);

    expect(await store.read(ticket.id)).toMatchObject({ id: ticket.id });
  });

  test('answers all other subjects, and is ready', async () => {
    const { store } = create();
    store.stopStore('ada', 5);
    const ticket = await issued(store, {}, 'bob');

    expect(await store.consume(consumeOf(ticket))).toMatchObject({ code: 'admitted' });
    expect((await store.list('bob')).records).toHaveLength(1);
    expect(store.ready).toBe(true);
  });
});

test('a simulation does not concern another subject with the same digest', async () => {
  const { store } = create();
  const [stopped, other] = COLLIDING;
  store.stopStore(stopped, 5);
  store.limitConnections(stopped, 1);
  await opened(store, {}, other);

  expect(await store.consume(consumeOf(await issued(store, {}, other)))).toMatchObject({ code: 'admitted' });
  expect((await store.list(other)).records).toHaveLength(2);
  await expect(store.list(stopped)).rejects.toBeInstanceOf(StoreUnavailable);
});

describe("a subject's connections that are limited", () => {
  test('are refused at the limit, whatever the gateway allows', async () => {
    const { store } = create();
    store.limitConnections('ada', 1);
    await opened(store, {}, 'ada');
    const second = await issued(store, {}, 'ada');

    expect(await store.consume({ ...consumeOf(second), maxConnections: 9, limitPolicy: 'replace' })).toMatchObject({
      code: 'connection_limit',
    });
  });

  test('are only those of that subject', async () => {
    const { store } = create();
    store.limitConnections('ada', 1);
    await opened(store, {}, 'bob');

    expect(await store.consume(consumeOf(await issued(store, {}, 'bob')))).toMatchObject({ code: 'admitted' });
  });

  test('are unlimited again after the limit is removed', async () => {
    const { store } = create();
    store.limitConnections('ada', 1);
    await opened(store, {}, 'ada');
    store.limitConnections('ada', 0);

    expect(await store.consume(consumeOf(await issued(store, {}, 'ada')))).toMatchObject({ code: 'admitted' });
  });

  test('are unlimited again after a minute, even if nobody removes the limit', async () => {
    const { store, pass } = create();
    store.limitConnections('ada', 1);
    pass(59_999);
    await opened(store, {}, 'ada');
    expect(await store.consume(consumeOf(await issued(store, {}, 'ada')))).toMatchObject({
      code: 'connection_limit',
    });
    pass(1);

    expect(await store.consume(consumeOf(await issued(store, {}, 'ada')))).toMatchObject({ code: 'admitted' });
  });
});
