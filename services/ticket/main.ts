import { runService } from '../../shared/process/run-service.ts';
import { redisIsNeeded } from '../../shared/settings/load.ts';
import { createStore } from '../../shared/store/create-store.ts';
import { authenticationFiles, authenticationIsNeeded, configuredAuthenticators } from './authenticators/configured.ts';
import { startTicketService } from './ticket-service.ts';

await runService({
  name: 'ticket',
  rules: [redisIsNeeded, authenticationIsNeeded, authenticationFiles],
  async start(settings, log) {
    const store = createStore(settings, log);
    return startTicketService({ settings, store, log, authenticators: configuredAuthenticators(settings) });
  },
});
