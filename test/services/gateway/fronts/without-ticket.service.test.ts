import { describe, expect, test } from 'vitest';
import { CARRIERS, carrierRow } from '../../../../shared/ticket/carriers.ts';
import { until } from '../../../support/machine/wait.ts';
import { workerRedis } from '../../../support/redis/redis.ts';
import { embedGate } from '../../../support/services/embedded-gate.ts';
import { runGateway, type StoredTicket, storeTicket } from '../../../support/services/in-process.ts';
import { openRaw } from '../../../support/sockets/raw-client.ts';
import { upgradeRequest } from '../../../support/sockets/upgrade-request.ts';
import { setRelay, startRawUpstream, switching } from '../upstream/stage.ts';

/** An upgrade with its ticket in each carrier of the table, those of tomorrow included. */
const upgrades = CARRIERS.map((carrier) => {
  const { header, write } = carrierRow(carrier);
  const ask = ({ value }: StoredTicket): string =>
    header === undefined
      ? upgradeRequest({ target: `/room?a=1&${write(value)}&b=2` })
      : upgradeRequest({ target: '/room?a=1&b=2', headers: { [header]: write(value) } });
  return [carrier, ask] as const;
});

describe.each(upgrades)('a ticket in the carrier %s is seen by nobody behind the gateway', (_carrier, ask) => {
  test('not by an upstream', async () => {
    const upstream = await startRawUpstream((socket, accept) => socket.write(switching(accept)));
    const { gateway, ticket } = await setRelay(upstream.port);
    const client = await openRaw(gateway.port);
    client.send(ask(ticket));
    await until(() => client.received.includes('101'));

    const head = upstream.received().toString('latin1');
    expect(head).toMatch(/^GET \/room\?a=1&b=2 HTTP\/1\.1\r\n/);
    expect(head).not.toContain(ticket.secret);
  });

  test('not by an application that the gateway is embedded in', async () => {
    const redis = await workerRedis();
    const { store } = await runGateway({ REDIS_URL: redis.url });
    const { port, admitted } = await embedGate({ settings: { REDIS_URL: redis.url } });
    const ticket = await storeTicket(store);
    const client = await openRaw(port);
    client.send(ask(ticket));
    await until(() => admitted.length === 1);

    const { url, headers, rawHeaders, headersDistinct } = admitted[0]?.request ?? {};
    expect(url).toBe('/room?a=1&b=2');
    expect(JSON.stringify([headers, rawHeaders, headersDistinct])).not.toContain(ticket.secret);
  });
});
