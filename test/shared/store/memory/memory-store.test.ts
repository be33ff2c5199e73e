import { expect, test } from 'vitest';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { describeStore } from '../contract/contract.ts';
import { DEFAULTS } from '../contract/harness.ts';
import { consumeOf, issued, opened } from '../requests.ts';
import { createMemoryHarness } from './memory-harness.ts';

describeStore('the in-memory store', async () => createMemoryHarness());

test('is always ready', () => {
  expect(new MemoryStore(DEFAULTS).ready).toBe(true);
});

test("uses the machine's clock by default", async () => {
  const store = new MemoryStore(DEFAULTS);
  const before = Date.now();
  const record = await store.read((await issued(store)).id);

  expect(record?.issuedAt).toBeGreaterThanOrEqual(before);
  expect(record?.issuedAt).toBeLessThanOrEqual(Date.now());
});

test('expires a ticket exactly at its expiry, to the millisecond', async () => {
  let time = 1_000;
  const store = new MemoryStore({ ...DEFAULTS, now: () => time });
  const [early, late] = [await issued(store, { ttlMs: 10 }), await issued(store, { ttlMs: 10 })];
  time = 1_009;
  expect(await store.consume(consumeOf(early))).toMatchObject({ code: 'admitted' });
  time = 1_010;
  expect(await store.consume(consumeOf(late))).toMatchObject({ code: 'ticket_expired' });
});

test('delivers no command after it was closed', async () => {
  const store = new MemoryStore(DEFAULTS);
  const heard: unknown[] = [];
  store.listen('gateway-1', (command) => heard.push(command));
  await store.end();
  await store.command('gateway-1', { command: 'close', ticket_id: (await opened(store)).id, reason: 'revoked' });

  expect(heard).toStrictEqual([]);
});
