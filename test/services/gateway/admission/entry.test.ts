import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../../../services/gateway/admission/entry.ts';
import { groupHeaders } from '../../../../services/gateway/admission/headers.ts';
import { createGatewayCore } from '../../../../services/gateway/core.ts';
import type { Wire, WireListener } from '../../../../services/gateway/wires/wire.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { atEnd } from '../../../support/machine/teardown.ts';
import { settingsOf, storeTicket } from '../../../support/services/in-process.ts';

const HEADERS = groupHeaders(
  Object.entries({
    Host: 'gateway.example',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
  }).flat(),
);

/** A wire on which nothing happens, but that it tells of its end when it is closed. */
function idleWire(): { readonly wire: Wire; listen(listener: WireListener): void } {
  let listener: WireListener | undefined;
  const end = (code: number, reason: string): void => listener?.ended(code, reason);
  const wire: Wire = {
    ping: () => {},
    close: end,
    terminate: () => end(1006, ''),
    stalled: false,
    sent: { taken: 0, left: 0 },
  };
  return {
    wire,
    listen: (to) => {
      listener = to;
    },
  };
}

/** Has a good ticket admitted, and its entry answered. */
async function enter<T>(answer: (entry: Entry) => T | Promise<T>) {
  const store = new MemoryStore({ retentionMs: 60_000, leaseMs: 60_000, historyPerSubject: 1_000 });
  const settings = await settingsOf({ DRAIN_SECONDS: '0' });
  const core = createGatewayCore({ settings, store, log: pino({ level: 'silent' }) });
  atEnd(() => core.drain());
  const { id, value } = await storeTicket(store);
  const target = `/?ticket=${value}`;
  const request = { method: 'GET', target, httpVersion: '1.1', headers: HEADERS, earlyBytes: 0, pipelined: false };
  const entered = core.admitter.decide({ ...request, address: '192.0.2.1' }, (decision) => {
    if (decision.kind === 'refused') throw new Error(`refused: ${decision.refusal.code}`);
    return answer(decision.entry);
  });
  async function record() {
    await core.leave();
    return store.read(id);
  }
  return { core, entered, record };
}

function open(entry: Entry): WireListener {
  const { wire, listen } = idleWire();
  const listener = entry.open(wire);
  listen(listener);
  return listener;
}

const TWICE = 'an admitted upgrade has ended twice';

const ends = {
  open,
  takeBack: (entry: Entry) => entry.takeBack({ code: 'upstream_unreachable' }),
  gone: (entry: Entry) => entry.gone(),
  handOver: (entry: Entry) => entry.handOver(),
};

/** What the record says then. */
const recorded = {
  open: { state: 'open' },
  takeBack: { state: 'refused', lastAttempt: { outcome: 'upstream_unreachable' } },
  gone: { state: 'closed', closeCode: 1006, closeReason: 'client_gone' },
  handOver: { state: 'handed_over' },
};

type End = keyof typeof ends;
const names = Object.keys(ends) as End[]; // the keys of a literal are its type's keys

describe('an entry', () => {
  test.each(names)('that ends by %s is recorded so', async (name) => {
    const { entered, record } = await enter(async (entry) => void (await ends[name](entry)));
    await entered;

    expect(await record()).toMatchObject(recorded[name]);
  });

  test.each(names.flatMap((first) => names.map((second) => [first, second] as const)))(
    'that has ended by %s cannot end by %s, and its record stays as it was',
    async (first, second) => {
      const { entered, record } = await enter(async (entry) => {
        await ends[first](entry);
        await ends[second](entry);
      });

      await expect(entered).rejects.toThrow(TWICE);
      expect(await record()).toMatchObject(recorded[first]);
    },
  );

  test.each(names)('cannot end by %s once it has been answered without an end', async (name) => {
    const { entered, record } = await enter((entry) => ({ late: () => ends[name](entry) }));
    const { late } = await entered;

    await expect(async () => late()).rejects.toThrow(TWICE);
    expect(await record()).toMatchObject({ state: 'closed', closeCode: 1006, closeReason: 'client_gone' });
  });

  test('that nobody ended ends as that of a client that has gone', async () => {
    const { entered, record } = await enter(() => {});
    await entered;

    expect(await record()).toMatchObject({ state: 'closed', closeCode: 1006, closeReason: 'client_gone' });
  });

  test('whose answer failed is not said to be of a client that has gone', async () => {
    const { entered, record } = await enter(() => {
      throw new Error('a fault of ours');
    });

    await expect(entered).rejects.toThrow('a fault of ours');
    expect(await record()).toMatchObject({ state: 'closed', closeCode: 1006, closeReason: 'gateway_fault' });
  });

  test('keeps a drain waiting until it has been answered', async () => {
    let finish = (): void => {};
    const answered = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { core, entered } = await enter(() => answered);

    expect(core.load.admissible).toBe(1);
    finish();
    await entered;
    expect(core.load.admissible).toBe(0);
  });

  test('that is open is recorded as its wire ends', async () => {
    const { entered, record } = await enter((entry) => {
      open(entry).ended(1000, 'bye');
    });
    await entered;

    expect(await record()).toMatchObject({ state: 'closed', closeCode: 1000, closeReason: 'bye' });
  });
});
