import { beforeAll, describe, expect, test } from 'vitest';
import { type PageServer, startPageServer } from '../../support/browsers/page-server.ts';
import { type RedisServer, startRedis } from '../../support/redis/redis.ts';
import { refusalCases } from './cases.ts';
import type { Runtime } from './runtimes.ts';
import { play } from './stage.ts';

/** Registers every case for a runtime. */
export function describeRefusals(name: string, start: () => Promise<Runtime>, isBrowser: boolean): void {
  describe(name, () => {
    let runtime: Runtime;
    let redis: RedisServer;
    let site: PageServer;
    let sibling: PageServer;

    beforeAll(async () => {
      site = await startPageServer();
      sibling = await startPageServer();
      redis = await startRedis();
      runtime = await start();
    });

    test('opens if nothing is wrong', async () => {
      const { told, ticketId } = await play(runtime, {}, { redis, site, sibling });
      expect(told).toEqual({ code: null, status: null, ticketId: null, error: null, sockets: 1, opened: 1 });
      expect(ticketId).not.toBeNull();
    });

    const rows = refusalCases.filter(({ browsersOnly }) => isBrowser || !browsersOnly);
    test.each(rows.map((row) => [row.code, row.name, row] as const))('gets %s: %s', async (code, _name, row) => {
      const { told, ticketId } = await play(runtime, row, { redis, site, sibling });
      expect(told).toEqual({
        code,
        status: row.status,
        ticketId,
        error: expect.stringMatching(`^ConnectRefused: ${code}: `),
        sockets: row.attempted ? 1 : 0,
        opened: 0,
      });
    });
  });
}
