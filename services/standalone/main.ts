import { nanoid } from 'nanoid';
import { hostInUrl } from '../../shared/http/host-in-url.ts';
import { hashPassword } from '../../shared/logins/password.ts';
import { runService } from '../../shared/process/run-service.ts';
import { createStore, usesRedis } from '../../shared/store/create-store.ts';
import { startGateway } from '../gateway/gateway.ts';
import { gatewayRules } from '../gateway/rules.ts';
import { createBasicAuthenticator } from '../ticket/authenticators/passwords/basic.ts';
import { NameThrottle } from '../ticket/authenticators/passwords/name-throttle.ts';
import { authenticationRules, hasAuthenticator } from '../ticket/authenticators/rules.ts';
import { announcementOf } from '../ticket/issuing/announce.ts';
import { policyRule } from '../ticket/issuing/policy-file.ts';
import { startTicketService } from '../ticket/ticket-service.ts';
import { SimulatedStore } from './simulated-store.ts';
import { welcome } from './welcome.ts';

const DEMO_USER = 'demo';

/** Both services in one process: to try Oncegate, to develop against it, or for a small installation. */
await runService({
  name: 'standalone',
  rules: [...authenticationRules, policyRule, ...gatewayRules],
  async start(settings, log) {
    const store = new SimulatedStore(createStore(settings, log));
    const demo = hasAuthenticator(settings) ? undefined : { name: DEMO_USER, password: nanoid(16) };
    const users = demo && new Map([[demo.name, await hashPassword(demo.password)]]);

    const gateway = await startGateway({ settings, store, log });
    const announcement = announcementOf({ ...settings, gatewayPort: gateway.port });
    const tickets = await startTicketService({
      settings,
      store,
      log,
      announcement,
      playground: { demoUser: demo?.name, simulations: store },
      ...(users && {
        authenticators: (context) => [createBasicAuthenticator({ users, throttle: new NameThrottle(context.store) })],
      }),
    });
    process.stdout.write(
      welcome({
        scheme: settings.tlsCertFile === undefined ? 'http' : 'https',
        host: hostInUrl(settings.host),
        ticketPort: tickets.port,
        gatewayUrl: announcement.gatewayUrl,
        inMemory: !usesRedis(settings),
        ttlSeconds: settings.ticketTtlSeconds,
        demo,
        playground: settings.playground ?? true,
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
