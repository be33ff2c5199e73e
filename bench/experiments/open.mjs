import { compareCost } from '../lib/cost-experiment.mjs';
import * as oncegate from '../series/oncegate.mjs';
import * as ws from '../series/ws.mjs';

export const name = 'open';
export const title = 'An admitted handshake, opened and closed';

const contenders = [...ws.open, ...oncegate.open];

export const run = (context) => compareCost({ name, title, contenders, count: 3_000 }, context);
