import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeCommit, describeMachine } from './lib/machine/machine.mjs';
import { describeVersions } from './lib/machine/versions.mjs';
import { root } from './lib/paths.mjs';
import { cleanUp } from './lib/processes/cleanup.mjs';
import { startRedis } from './lib/processes/redis.mjs';
import { experimentText, targetsText } from './lib/report/text-report.mjs';
import { writePage } from './lib/report/write-page.mjs';
import { ticketIssuer } from './lib/tickets/tickets.mjs';

const HELP = `npm run bench -- [options]

  --only open,issue      only these experiments
  --series ws,ws-es256   only these series and the baseline of each experiment
  --rounds 9             how many rounds, 7 by default
  --in-flight 32         handshakes or requests in flight, for each gateway
  --json FILE            writes the result to a file
  --docs                 writes the page, its figures and its numbers to docs/bench
  --quick                one round of few operations: shows that the bench works, but says nothing about speed
  --list                 lists the experiments
  --help                 this text
`;

/** In the order in which they run. */
const NAMES = ['open', 'refuse', 'issue', 'latency', 'relay', 'memory', 'scaling', 'growth'];
const DEFAULT_ROUNDS = 7;

const options = readOptions();
if (options === undefined) process.exitCode = 64;
else if (options.help) process.stdout.write(HELP);
else if (options.list) await list();
else await run(options);

/** Reads the command line. If it is wrong, says why on stderr and returns undefined. */
function readOptions() {
  const wrong = (text) => void process.stderr.write(`bench: ${text}\n\n${HELP}`);
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        series: { type: 'string' },
        rounds: { type: 'string' },
        'in-flight': { type: 'string', default: '32' },
        json: { type: 'string' },
        docs: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const names = values.only?.split(',') ?? NAMES;
    const unknown = names.filter((name) => !NAMES.includes(name));
    if (unknown.length > 0) return wrong(`there is no ${unknown.join(', ')}`);
    const rounds = Number(values.rounds ?? (values.quick ? 1 : DEFAULT_ROUNDS));
    const inFlight = Number(values['in-flight']);
    if (!isWithin(rounds, 99)) return wrong('--rounds takes a number from 1 to 99');
    if (!isWithin(inFlight, 1_000)) return wrong('--in-flight takes a number from 1 to 1000');
    return { ...values, names, rounds, inFlight, series: values.series?.split(',') };
  } catch (error) {
    return wrong(error.message);
  }
}

function isWithin(number, most) {
  return Number.isInteger(number) && number >= 1 && number <= most;
}

function load(name) {
  return import(`./experiments/${name}.mjs`);
}

async function list() {
  for (const name of NAMES) process.stdout.write(`${name.padEnd(10)}${(await load(name)).title}\n`);
}

async function run({ names, rounds, inFlight, series, quick, json, docs }) {
  try {
    const redis = await startRedis();
    const tickets = await ticketIssuer(redis.url);
    const wanted = (id) => series === undefined || series.includes(id);
    const experiments = [];
    for (const name of names) {
      const experiment = await load(name);
      const say = (text) => process.stderr.write(`${name}: ${text}\n`);
      const found = [await experiment.run({ rounds, quick, inFlight, redis, tickets, wanted, say })].flat();
      for (const one of found) process.stdout.write(`${experimentText(one)}\n\n`);
      experiments.push(...found);
    }
    const result = {
      machine: describeMachine(),
      versions: describeVersions({ redis: redis.version }),
      when: new Date().toISOString(),
      quick,
      commit: describeCommit(),
      experiments,
    };
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 1)}\n`);
    if (docs) writePage(result, join(root, 'docs', 'bench'));
    process.stdout.write(`${targetsText(result)}\n`);
  } finally {
    await cleanUp();
  }
}
