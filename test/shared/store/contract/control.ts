import { describe, expect, test } from 'vitest';
import type { GatewayCommand } from '../../../../shared/store/store.ts';
import { until } from '../../../support/machine/wait.ts';
import { mint } from '../requests.ts';
import type { Harness } from './harness.ts';

export function controlContract(harness: () => Harness): void {
  describe('the control channel', () => {
    const close = (): GatewayCommand => ({ command: 'close', ticket_id: mint().id, reason: 'revoked' });

    test('delivers every command to its gateway', async () => {
      const store = await harness().createStore();
      const heard: GatewayCommand[] = [];
      store.listen('gateway-1', (command) => heard.push(command));
      await harness().listening(store, 'gateway-1');
      const sent: GatewayCommand[] = [
        close(),
        { command: 'renew', ticket_id: mint().id, session_expires_at: 1_800_000_000_000 },
        { command: 'close', ticket_id: mint().id, reason: 'replaced' },
      ];
      for (const command of sent) await store.command('gateway-1', command);
      await until(() => heard.length >= sent.length);

      // On a Cluster each may go through another node, so their order is not certain.
      expect(heard).toHaveLength(sent.length);
      expect(heard).toStrictEqual(expect.arrayContaining(sent));
    });

    test('delivers no command to another gateway', async () => {
      const store = await harness().createStore();
      const heard: GatewayCommand[] = [];
      store.listen('gateway-1', (command) => heard.push(command));
      await harness().listening(store, 'gateway-1');
      await store.command('gateway-2', close());
      const own = close();
      await store.command('gateway-1', own);
      await until(() => heard.length > 0);

      expect(heard).toStrictEqual([own]);
    });

    test('drops a command if nobody listens', async () => {
      const store = await harness().createStore();

      await expect(store.command('gateway-1', close())).resolves.toBeUndefined();
    });

    test('accepts any gateway id', async () => {
      const store = await harness().createStore();
      for (const gatewayId of ['error', 'newListener', '__proto__', 'a:b*[c]']) {
        const unheard = close();
        await store.command(gatewayId, unheard);
        const heard: GatewayCommand[] = [];
        store.listen(gatewayId, (command) => heard.push(command));
        await harness().listening(store, gatewayId);
        const sent = close();
        await store.command(gatewayId, sent);
        await until(() => heard.some(({ ticket_id }) => ticket_id === sent.ticket_id));
        // On a Cluster the command before may still be on its way between nodes.
        expect(heard.filter(({ ticket_id }) => ticket_id !== unheard.ticket_id)).toStrictEqual([sent]);
      }
    });

    test('accepts repeated announcements of a gateway, and their deletion', async () => {
      const store = await harness().createStore();
      const status = { gatewayId: 'gateway-1', startedAt: 1, version: '1.0.0', connections: 3, draining: false };

      await expect(store.announce(status)).resolves.toBeUndefined();
      // A store in memory has one gateway, and announces it to nobody.
      expect([1, undefined]).toContain(await store.announce({ ...status, draining: true }));
      await expect(store.withdraw('gateway-1')).resolves.toBeUndefined();
      await expect(store.withdraw('never-announced')).resolves.toBeUndefined();
    });
  });
}
