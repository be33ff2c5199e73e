import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createClockWatch } from '../../../../services/ticket/issuing/clock-watch.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { runTicketService } from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';
import { openTicket } from '../records/open-ticket.ts';

const HOUR_MS = 3_600_000;

test('a clock that differs is a warning once a minute', () => {
  const lines: string[] = [];
  const watch = createClockWatch(pino({ base: {} }, { write: (line: string) => void lines.push(line) }));
  watch(5_000, 0, 10);
  watch(5_005, 10_000, 10_010);
  expect(lines).toHaveLength(0);

  watch(20_000, 10_000, 10_010);
  watch(0, 60_000, 60_010);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ event: 'clock_skew', skew_ms: 9_990 }]);
  watch(0, 70_010, 70_020);
  expect(lines).toHaveLength(2);
});

test.each([
  ['an hour ahead', HOUR_MS],
  ['an hour behind', -HOUR_MS],
  ['a year ahead', 365 * 24 * HOUR_MS],
])("a JWT is judged by the service's clock while the store's is %s", async (_name, skewMs) => {
  const store = new MemoryStore({ retentionMs: 600_000, leaseMs: 90_000, now: () => Date.now() + skewMs });
  const service = await runTicketService({}, { store });
  const credentials = await bearer('ada', '2m');
  const answer = await ask(service, '/tickets', { method: 'POST', credentials });
  const { id } = answer.body;

  expect([answer.status, answer.body.expires_in]).toEqual([201, 30]);
  const record = await store.read(String(id));
  const lifetime = (record?.sessionExpiresAt ?? 0) - (record?.issuedAt ?? 0);
  expect(lifetime).toBeGreaterThan(60_000);
  expect(lifetime).toBeLessThanOrEqual(120_000);
  expect(service.log.filter(({ event }) => event === 'clock_skew')).toMatchObject([{ level: 'warn' }]);

  const open = await openTicket(service, { subject: 'ada' });
  const renewed = await ask(service, `/tickets/${open.id}/renew`, { method: 'POST', credentials });
  const left = Date.parse(String(renewed.body.session_expires_at)) - (Date.now() + skewMs);
  expect(renewed.status).toBe(200);
  expect(left).toBeGreaterThan(60_000);
  expect(left).toBeLessThanOrEqual(120_000);
});
