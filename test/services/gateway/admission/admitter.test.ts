import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { groupHeaders } from '../../../../services/gateway/admission/headers.ts';
import { createGatewayCore } from '../../../../services/gateway/core.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { until } from '../../../support/machine/wait.ts';
import { type Environment, settingsOf, storeTicket } from '../../../support/services/in-process.ts';

const HEADERS = Object.entries({
  Host: 'gateway.example',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
}).flat();

/** What decides in a gateway, and an upgrade with a good ticket. */
async function decide(
  env: Environment = {},
  store = new MemoryStore({ retentionMs: 60_000, leaseMs: 60_000, historyPerSubject: 1_000 }),
) {
  const core = createGatewayCore({ settings: await settingsOf(env), store, log: pino({ level: 'silent' }) });
  atEnd(() => core.drain());
  const ticket = await storeTicket(store);
  const visitor = {
    method: 'GET',
    target: `/?ticket=${ticket.value}`,
    httpVersion: '1.1',
    headers: groupHeaders(HEADERS),
    earlyBytes: 0,
    pipelined: false,
    address: '192.0.2.1',
  };
  return { core, visitor, record: () => store.read(ticket.id) };
}

test('a decision resolves with what its answer returned', async () => {
  const { core, visitor } = await decide();
  const admitted = await core.admitter.decide(visitor, (decision) => decision.kind);
  const refused = await core.admitter.decide(visitor, async (decision) => decision.kind);

  expect([admitted, refused]).toEqual(['admitted', 'refused']);
});

describe('while refusals of strangers are being noted', () => {
  /** While it is slow it writes no note down before it is told to. */
  class SlowStore extends MemoryStore {
    readonly notes: Array<() => void> = [];
    slow = true;

    override async note(...request: Parameters<MemoryStore['note']>) {
      if (this.slow) await new Promise<void>((resolve) => this.notes.push(resolve));
      return super.note(...request);
    }
  }

  async function amongStrangers(env: Environment) {
    const store = new SlowStore({ retentionMs: 60_000, leaseMs: 60_000, historyPerSubject: 1_000 });
    const { core, visitor } = await decide(env, store);
    const target = `/?ticket=ogt_${'x'.repeat(22)}.${'x'.repeat(32)}`;
    const headers = groupHeaders([...HEADERS, 'Origin', 'http://evil.example']);
    const stranger = { ...visitor, target, headers };

    /** What becomes of a good ticket once so many notes are under way; they are ended afterwards. */
    async function outcomeAmong(count: number, refused: Array<Promise<unknown>>): Promise<string> {
      await until(() => store.notes.length === count, { what: 'the notes are under way' });
      store.slow = false;
      const outcome = await core.admitter.decide(visitor, (decision) => {
        if (decision.kind === 'refused') return decision.refusal.code;
        decision.entry.gone();
        return 'admitted';
      });
      for (const end of store.notes) end();
      await Promise.all(refused);
      return outcome;
    }
    return { core, stranger, outcomeAmong };
  }

  test('they take no connection from a good ticket', async () => {
    const { core, stranger, outcomeAmong } = await amongStrangers({ MAX_CONNECTIONS: '1' });
    const refused = [core.admitter.decide(stranger, () => {})];

    expect(await outcomeAmong(1, refused)).toBe('admitted');
  });

  test('they take no slot from a good ticket among the upgrades that are being decided', async () => {
    const { core, stranger, outcomeAmong } = await amongStrangers({ MAX_PENDING_UPGRADES: '5' });
    const refused = Array.from({ length: 5 }, () => core.admitter.decide(stranger, () => {}));

    expect(await outcomeAmong(5, refused)).toBe('admitted');
  });

  test('a request that is no upgrade takes no slot', async () => {
    const { core, stranger, outcomeAmong } = await amongStrangers({ MAX_CONNECTIONS: '1', MAX_PENDING_UPGRADES: '1' });
    const refused = [core.admitter.refuse(stranger, { code: 'upgrade_required' })];

    expect(await outcomeAmong(1, refused)).toBe('admitted');
  });

  test('an upgrade that was refused frees its slot once', async () => {
    const { core, stranger, outcomeAmong } = await amongStrangers({});
    await outcomeAmong(1, [core.admitter.decide(stranger, () => {})]);
    const slot = core.load.enter();

    expect(core.load.admissible).toBe(1);
    core.load.leave(slot);
    expect(core.load.admissible).toBe(0);
  });
});
