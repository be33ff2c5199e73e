import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../../../support/machine/wait.ts';
import { runGateway, storeTicket } from '../../../support/services/in-process.ts';
import { clientFrame, closeOf, strictFrames } from '../../../support/sockets/frames.ts';
import { RawClient } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { startBackEnd } from '../../../support/sockets/ws-back-end.ts';

const security = readFileSync(join(import.meta.dirname, '../../../../SECURITY.md'), 'utf8');
/** As SECURITY.md promises it. */
const MOST = Number(/at most ([\d,]+) fragments of a message/.exec(security)?.[1]?.replace(',', ''));

/** A message in so many frames, each with this text; and perhaps a ping in the middle. */
function message(frames: number, { text = '', ping = false } = {}): Buffer {
  return Buffer.concat(
    Array.from({ length: frames }, (_, index) => {
      const frame = clientFrame(index === 0 ? 1 : 0, text, { fin: index === frames - 1 });
      return ping && index === 500 ? Buffer.concat([frame, clientFrame(9, '')]) : frame;
    }),
  );
}

const kinds = [
  ['empty', {}],
  ['of a byte', { text: 'x' }],
  ['with a ping between them', { ping: true }],
] as const;

describe.each(['the echo', 'the relay'])('%s', (kind) => {
  async function opened() {
    const backEnd = await startBackEnd({ maxFragments: 0 });
    const gateway = await runGateway(kind === 'the relay' ? { UPSTREAM_URL: `ws://127.0.0.1:${backEnd.port}` } : {});
    const { id, value } = await storeTicket(gateway.store);
    const client = await RawClient.send(gateway.port, upgradeRequest({ ticket: value }));
    await until(() => client.received.includes('\r\n\r\n'), { what: 'the 101' });
    const frames = () => strictFrames(client.received.subarray(client.received.indexOf('\r\n\r\n') + 4));
    return { backEnd, client, frames, record: () => gateway.store.read(id) };
  }

  test.each(kinds)(`takes a message in ${MOST} fragments, again and again: %s`, async (_, options) => {
    const { client, frames } = await opened();
    client.send(message(MOST, options));
    client.send(message(MOST, options));
    client.send(clientFrame(1, 'behind them'));

    const answers = await until(() => {
      const texts = frames()
        .filter(({ opcode }) => opcode === 1)
        .map(({ payload }) => String(payload));
      return texts.at(-1) === 'behind them' && texts;
    });
    expect(answers.filter((text) => text === ('text' in options ? options.text : '').repeat(MOST))).toHaveLength(2);
    await client.destroy();
  });

  test.each(kinds)('closes with 1008 too_many_fragments at one more: %s', async (_, options) => {
    const { backEnd, client, frames, record } = await opened();
    client.send(message(MOST + 1, options));

    const close = await until(() => frames().find(({ opcode }) => opcode === 8));
    expect(closeOf(close)).toEqual([1008, 'too_many_fragments']);
    client.send(clientFrame(8, ''));
    await until(async () => (await record())?.state === 'closed');
    expect(await record()).toMatchObject({ closeCode: 1008, closeReason: 'too_many_fragments' });
    expect(backEnd.messages).toEqual([]);
    await client.destroy();
  });
});
