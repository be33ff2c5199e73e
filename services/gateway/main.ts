import { runService } from '../../shared/process/run-service.ts';
import { redisIsNeeded } from '../../shared/settings/load.ts';
import { createStore } from '../../shared/store/create-store.ts';
import { startGateway } from './gateway.ts';
import { gatewayRules } from './rules.ts';

await runService({
  name: 'gateway',
  rules: [redisIsNeeded, ...gatewayRules],
  async start(settings, log) {
    const store = createStore(settings, log);
    return startGateway({ settings, store, log });
  },
});
