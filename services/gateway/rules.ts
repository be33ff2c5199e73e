import type { Rule } from '../../shared/settings/load.ts';
import { signingKeyRule } from './relay/signing-key.ts';
import { routesRule } from './routes.ts';

/** What the settings of a gateway must fulfil beside their own bounds. */
export const gatewayRules: readonly Rule[] = [routesRule, signingKeyRule];
