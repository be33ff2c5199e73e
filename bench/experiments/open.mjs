import { compareCost } from '../lib/measure/cost-experiment.mjs';
import * as colyseus from '../series/colyseus.mjs';
import * as jwt from '../series/jwt.mjs';
import * as nginx from '../series/nginx.mjs';
import * as oncegate from '../series/oncegate.mjs';
import * as socketIo from '../series/socket.io.mjs';
import * as websockify from '../series/websockify.mjs';
import * as ws from '../series/ws.mjs';

export const name = 'open';
export const title = 'An admitted handshake, opened and closed';

const contenders = [ws, oncegate, jwt, socketIo, colyseus, nginx, websockify].flatMap(({ open }) => open);

export const run = (context) => compareCost({ name, title, contenders, count: 3_000 }, context);
