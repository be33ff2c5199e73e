import { nanoid } from 'nanoid';
import { hashPassword } from '../../shared/password.ts';
import { runService } from '../../shared/process/run-service.ts';
import { createStore } from '../../shared/store/create-store.ts';
import { startGateway } from '../gateway/gateway.ts';
import { announcementOf } from '../ticket/announce.ts';
import { createBasicAuthenticator } from '../ticket/authenticators/basic.ts';
import { authenticationFiles, configuredAuthenticators } from '../ticket/authenticators/configured.ts';
import { startTicketService } from '../ticket/ticket-service.ts';
import { welcome } from './welcome.ts';

const DEMO_USER = 'demo';

/** Both services in one process: to try it, to develop against it, or to run small. */
await runService({
  name: 'standalone',
  rules: [authenticationFiles],
  async start(settings, log) {
    const store = createStore(settings, log);
    const configured = configuredAuthenticators(settings);
    const demo = configured.length === 0 ? { name: DEMO_USER, password: nanoid(16) } : undefined;
    const authenticators = demo
      ? [createBasicAuthenticator(new Map([[demo.name, await hashPassword(demo.password)]]))]
      : configured;

    const gateway = await startGateway({ settings, store, log });
    const announcement = announcementOf({ ...settings, gatewayPort: gateway.port });
    const tickets = await startTicketService({ settings, store, log, authenticators, announcement });
    process.stdout.write(
      welcome({
        scheme: settings.tlsCertFile === undefined ? 'http' : 'https',
        ticketPort: tickets.port,
        gatewayUrl: announcement.gatewayUrl,
        inMemory: settings.redisUrl === undefined && !settings.redisSentinels && !settings.redisClusterNodes,
        ttlSeconds: settings.ticketTtlSeconds,
        demo,
      }),
    );
    return {
      async drain() {
        await Promise.all([gateway.drain(), tickets.drain()]);
        await store.end();
      },
      abandon() {
        gateway.abandon();
        tickets.abandon();
      },
    };
  },
});
