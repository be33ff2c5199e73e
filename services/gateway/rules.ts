import type { Rule } from '../../shared/settings/load.ts';
import { selfRule } from './admission/origin-rule.ts';
import { routesRule } from './admission/routes.ts';
import { signingKeyRule } from './identity/signing-key.ts';

/** Rules for the settings of a gateway that concern more than the bounds of one setting. */
export const gatewayRules: readonly Rule[] = [selfRule, routesRule, signingKeyRule];
