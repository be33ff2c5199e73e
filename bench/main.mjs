import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUp } from './lib/cleanup.mjs';
import { describeCommit, describeMachine } from './lib/machine.mjs';
import { bench } from './lib/paths.mjs';
import { startRedis } from './lib/redis.mjs';
import { summarise } from './lib/summary.mjs';
import { ticketIssuer } from './lib/tickets.mjs';
import { describeVersions } from './lib/versions.mjs';

const HELP = `npm run bench -- [options]

  --only open,issue      these experiments alone
  --series ws,jose-es256 these series alone, beside the baseline of each experiment
  --rounds 9             how many rounds, 7 by default
  --json FILE            writes the result there
  --quick                one round of few operations: shows that it works, and nothing about speed
  --list                 names the experiments
  --help                 this text
`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    series: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** In the order in which they run. */
const ORDER = ['open', 'refuse', 'issue', 'latency', 'relay', 'memory', 'scaling', 'growth'];
const folder = join(bench, 'experiments');
const present = readdirSync(folder).map((file) => file.replace(/\.mjs$/, ''));
const names = ORDER.filter((name) => present.includes(name));

if (options.help) process.stdout.write(HELP);
else if (options.list) await list();
else process.exitCode = await run();

async function load(name) {
  return import(join(folder, `${name}.mjs`));
}

async function list() {
  for (const name of names) process.stdout.write(`${name.padEnd(10)}${(await load(name)).title}\n`);
}

async function run() {
  const chosen = options.only?.split(',') ?? names;
  const unknown = chosen.filter((name) => !names.includes(name));
  const rounds = Number(options.rounds ?? (options.quick ? 1 : 7));
  if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1 || rounds > 99) {
    process.stderr.write(unknown.length > 0 ? `there is no ${unknown.join(', ')}\n${HELP}` : HELP);
    return 64;
  }
  const series = options.series?.split(',');
  try {
    const redis = await startRedis();
    const tickets = await ticketIssuer(redis.url);
    const say = (text) => process.stderr.write(`${text}\n`);
    const wanted = (id) => series === undefined || series.includes(id);
    const experiments = [];
    for (const name of chosen) {
      const experiment = await load(name);
      const told = (text) => say(`${name}: ${text}`);
      const found = await experiment.run({ rounds, quick: options.quick, redis, tickets, wanted, say: told });
      experiments.push(...[found].flat());
      for (const one of [found].flat()) process.stdout.write(`${summarise(one)}\n`);
    }
    const result = {
      machine: describeMachine(),
      versions: describeVersions({ redis: redis.version }),
      when: new Date().toISOString(),
      quick: options.quick,
      commit: describeCommit(),
      experiments,
    };
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`);
    return 0;
  } finally {
    await cleanUp();
  }
}
