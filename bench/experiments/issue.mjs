import { compareCost } from '../lib/measure/cost-experiment.mjs';
import * as issuers from '../series/issuers.mjs';
import * as oncegate from '../series/oncegate-issue.mjs';

export const name = 'issue';
export const title = 'A ticket issued over HTTP, on connections that are kept';

const contenders = [...issuers.issue, ...oncegate.issue];

export const run = (context) => compareCost({ name, title, contenders, count: 3_000, keepAlive: true }, context);
