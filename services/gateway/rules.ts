import type { Rule } from '../../shared/settings/load.ts';
import { routesRule } from './admission/routes.ts';
import { signingKeyRule } from './identity/signing-key.ts';

/** What the settings of a gateway must fulfil beside their own bounds. */
export const gatewayRules: readonly Rule[] = [routesRule, signingKeyRule];
