import { compareCost } from '../lib/cost-experiment.mjs';
import * as oncegate from '../series/oncegate.mjs';
import * as refusals from '../series/refusals.mjs';

export const name = 'refuse';
export const title = 'A refused handshake';

const contenders = [...refusals.refuse, ...oncegate.refuse];

export const run = (context) => compareCost({ name, title, contenders, count: 3_000 }, context);
