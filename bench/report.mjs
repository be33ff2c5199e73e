import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib/processes/paths.mjs';
import { textReport } from './lib/report/text.mjs';
import { writePage } from './lib/report/write-page.mjs';

const HELP = `node bench/report.mjs RESULT.json... [options]

  Prints the tables and the targets of what \`npm run bench -- --json RESULT.json\` wrote. Of several files the
  experiments are put together; where two have the same one, the later counts.

  --docs   also writes docs/bench: the page, the plots and the numbers. The page tells of one commit, so the files
           have to be of one.
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
  process.stderr.write(`bench: docs/bench tells of one commit, and these are of several: ${origins.join(', ')}\n`);
  process.exitCode = 65;
}
