import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib/paths.mjs';
import { textReport } from './lib/report/text-report.mjs';
import { writePage } from './lib/report/write-page.mjs';

const HELP = `node bench/report.mjs RESULT.json... [options]

  Prints the tables and targets of results that \`npm run bench -- --json RESULT.json\` wrote. The experiments of
  several files are combined; if two files have the same experiment, the later file counts.

  --docs   also writes docs/bench: the page, the figures and the numbers. All files must be of one commit, since the
           page names one.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { docs: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});

if (values.help || positionals.length === 0) {
  process.stdout.write(HELP);
  process.exitCode = values.help ? 0 : 64;
} else {
  const results = positionals.map((path) => JSON.parse(readFileSync(path, 'utf8')));
  const experiments = new Map(results.flatMap((result) => result.experiments.map((one) => [one.name, one])));
  const last = results.at(-1);
  const quick = results.some((result) => result.quick);
  const result = { ...last, quick, experiments: [...experiments.values()] };
  process.stdout.write(textReport(result));
  if (values.docs) {
    if (results.every(({ commit }) => commit === last.commit)) writePage(result, join(root, 'docs', 'bench'));
    else refuse(positionals.map((path, index) => `${path} is of ${results[index].commit}`));
  }
}

function refuse(origins) {
  process.stderr.write(`bench: docs/bench is about one commit, but these are of several: ${origins.join(', ')}\n`);
  process.exitCode = 65;
}
