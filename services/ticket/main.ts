import { runService } from '../../shared/process/run-service.ts';
import { redisIsNeeded } from '../../shared/settings/load.ts';
import { createStore } from '../../shared/store/create-store.ts';
import { authenticationIsNeeded, authenticationRules } from './authenticators/rules.ts';
import { policyRule } from './issuing/policy-file.ts';
import { startTicketService } from './ticket-service.ts';

await runService({
  name: 'ticket',
  rules: [redisIsNeeded, authenticationIsNeeded, ...authenticationRules, policyRule],
  start: (settings, log) => startTicketService({ settings, log, store: createStore(settings, log) }),
});
