import { compareCost } from '../lib/measure/cost-experiment.mjs';
import * as nginx from '../series/nginx.mjs';
import * as oncegate from '../series/oncegate.mjs';
import * as refusals from '../series/refusals.mjs';
import * as socketIo from '../series/socket.io.mjs';

export const name = 'refuse';
export const title = 'A refused handshake';

const contenders = [refusals, oncegate, socketIo, nginx].flatMap(({ refuse }) => refuse);

export const run = (context) => compareCost({ name, title, contenders, count: 3_000 }, context);
