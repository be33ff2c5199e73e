/**
 * The one table of targets, for the page and the terminal. A ratio is the median over the rounds of `series` divided by
 * `against` in the same round; both are of one experiment.
 *
 * @typedef {object} Target
 * @property {string} id
 * @property {string} what the thing measured, in words
 * @property {string} baseline the thing it is measured against, in words
 * @property {string} experiment name of the experiment
 * @property {string} series id of the series
 * @property {string} against id of the series it is divided by
 * @property {'samples' | 'redis'} [column] the column that is divided; by default `samples`
 * @property {number} [atMost]
 * @property {number} [below]
 * @property {number} [atLeast]
 * @property {string} [profile] the page that explains a missed target, relative to docs/bench
 * @property {boolean} [untilCoresAreFull] whether it can be missed only while the cores are not full
 */

const profile = '../decisions/0032-where-the-time-goes.md';
const handshake = { experiment: 'open', profile };
const relayMode = { ...handshake, series: 'oncegate-relay', what: 'admitted handshake, relay mode' };
const echoMode = { ...handshake, series: 'oncegate-echo', what: 'admitted handshake, echo mode' };
const bare = { against: 'ws', baseline: 'bare `ws`, no authentication' };
const batched = { against: 'ws-batched', baseline: 'bare `ws`, upgrades in 1 ms batches' };
const hs256 = { against: 'ws-hs256', baseline: '`ws` + jose HS256' };
const socketIo = { against: 'socket.io', baseline: 'Socket.IO with authentication' };
const refused = { experiment: 'refuse', profile, against: 'http', baseline: 'a `node:http` 401' };
const issued = { experiment: 'issue', profile, against: 'http', baseline: '`node:http` + HSET/PEXPIRE, plain ioredis' };
const relayed = {
  series: 'oncegate',
  profile,
  against: 'nginx',
  baseline: 'nginx `proxy_pass`, as Debian configures it',
};

/** Redis is a sixth of a handshake, so growth in Redis alone would hardly show in the whole: both must hold. */
const amongTickets = {
  profile,
  experiment: 'growth-tickets',
  series: 'tickets-1000000',
  against: 'tickets-1000',
  atMost: 1.1,
};

/** @type {readonly Target[]} */
export const targets = [
  { id: 'open-relay', ...relayMode, ...bare, atMost: 0.9 },
  { id: 'open-echo', ...echoMode, ...bare, atMost: 1 },
  { id: 'open-relay-batched', ...relayMode, ...batched, atMost: 1.25 },
  { id: 'open-echo-batched', ...echoMode, ...batched, atMost: 1.25 },
  { id: 'open-relay-hs256', ...relayMode, ...hs256, atMost: 0.75 },
  { id: 'open-echo-hs256', ...echoMode, ...hs256, atMost: 0.75 },
  { id: 'open-relay-socket.io', ...relayMode, ...socketIo, atMost: 0.4 },
  { id: 'open-echo-socket.io', ...echoMode, ...socketIo, atMost: 0.4 },
  { id: 'refuse-before', ...refused, series: 'oncegate-before', what: 'refused before the store', atMost: 0.8 },
  { id: 'refuse-after', ...refused, series: 'oncegate-after', what: 'refused after the store', atMost: 1 },
  { id: 'issue-basic', ...issued, series: 'oncegate-basic', what: 'a ticket issued, Basic', atMost: 1.5 },
  { id: 'issue-hs256', ...issued, series: 'oncegate-hs256', what: 'a ticket issued, HS256', atMost: 1.7 },
  { id: 'relay-64-1', experiment: 'relay-64-1', ...relayed, what: 'relay, 64 B, one pair', atMost: 1.5 },
  { id: 'relay-64-100', experiment: 'relay-64-100', ...relayed, what: 'relay, 64 B, 100 pairs', atMost: 1.5 },
  { id: 'relay-16k-1', experiment: 'relay-16k-1', ...relayed, what: 'relay, 16 KiB, one pair', atMost: 1.5 },
  { id: 'relay-16k-100', experiment: 'relay-16k-100', ...relayed, what: 'relay, 16 KiB, 100 pairs', below: 0.6 },
  { id: 'relay-in-flight', experiment: 'relay-in-flight', ...relayed, what: 'relay, 16 in flight', atMost: 1.5 },
  {
    id: 'memory-echo',
    profile,
    experiment: 'memory-echo',
    series: 'oncegate',
    what: 'memory per idle connection, echo mode',
    against: 'ws',
    baseline: 'bare `ws` echo',
    atMost: 1.1,
  },
  {
    id: 'memory-relay',
    profile,
    experiment: 'memory-relay',
    series: 'oncegate',
    what: 'memory per idle connection, relay mode',
    against: 'nginx',
    baseline: 'nginx as relay',
    atMost: 0.8,
  },
  {
    id: 'latency-consume',
    profile,
    experiment: 'latency-consume',
    series: 'consume-p99',
    what: 'the consume step at 500/s, p99',
    against: 'ping-p99',
    baseline: 'a Redis PING through the same client',
    atMost: 1.5,
  },
  {
    id: 'growth-tickets',
    ...amongTickets,
    what: 'a handshake among 10^6 live tickets, CPU of gateway and Redis',
    baseline: 'the same among 10^3',
  },
  {
    id: 'growth-tickets-redis',
    ...amongTickets,
    column: 'redis',
    what: "its consume and close among 10^6 live tickets, Redis's CPU alone",
    baseline: 'the same among 10^3',
  },
  {
    id: 'scaling',
    profile,
    experiment: 'scaling',
    series: 'gateways-3',
    what: 'handshakes per second, three gateways',
    against: 'gateways-1',
    baseline: 'one gateway',
    atLeast: 1.7,
    untilCoresAreFull: true,
  },
];
