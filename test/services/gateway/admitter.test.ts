import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createGatewayCore } from '../../../services/gateway/core.ts';
import { MemoryStore } from '../../../shared/store/memory-store.ts';
import { settingsOf, storeTicket } from '../../support/in-process.ts';
import { atEnd } from '../../support/teardown.ts';

const HEADERS = {
  Host: 'gateway.example',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
};

/** What decides in a gateway, and an upgrade with a good ticket. */
async function decide() {
  const store = new MemoryStore({ retentionMs: 60_000, leaseMs: 60_000 });
  const core = createGatewayCore({ settings: await settingsOf({}), store, log: pino({ level: 'silent' }) });
  atEnd(() => core.drain());
  const ticket = await storeTicket(store);
  const visitor = {
    method: 'GET',
    target: `/?ticket=${ticket.value}`,
    httpVersion: '1.1',
    rawHeaders: Object.entries(HEADERS).flat(),
    earlyBytes: 0,
    pipelined: false,
    address: '192.0.2.1',
  };
  return { core, visitor, record: () => store.read(ticket.id) };
}

test('an admission that nobody enters by ends as that of a client that has gone', async () => {
  const { core, visitor, record } = await decide();
  await core.admitter.decide(visitor, () => {});
  await core.leave();

  expect(await record()).toMatchObject({ state: 'closed', closeCode: 1006, closeReason: 'client_gone' });
});

test('an admission that a fault comes in between is not said to be of a client that has gone', async () => {
  const { core, visitor, record } = await decide();
  const decided = core.admitter.decide(visitor, () => {
    throw new Error('a fault of ours');
  });

  await expect(decided).rejects.toThrow('a fault of ours');
  await core.leave();
  expect(await record()).toMatchObject({ state: 'closed', closeCode: 1006, closeReason: 'gateway_fault' });
});
