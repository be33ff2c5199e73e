import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { attackKinds } from './lib/attack-kinds.mjs';
import { resultOf } from './lib/attack-result.mjs';
import { bin, root, run, say } from './lib/run.mjs';

// npm run attack [-- --fast]: without the slow tests
const fast = process.argv.includes('--fast');
const report = join(tmpdir(), `oncegate-attacks-${process.pid}.json`);
const projects = ['unit', 'service', ...(fast ? [] : ['slow'])].map((project) => `--project=${project}`);

say('attacking');
const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`];
const ended = run(bin('vitest'), ['run', ...projects, ...reporters, ...Object.values(attackKinds).flat()]);
if (!existsSync(report)) process.exit(1);
const files = JSON.parse(readFileSync(report, 'utf8')).testResults.map(({ name, assertionResults }) => ({
  path: relative(root, name),
  tests: assertionResults,
}));
rmSync(report);

const { lines, good } = resultOf(files, { fast });
process.stdout.write(`${lines.join('\n')}\n`);
process.exit(ended && good ? 0 : 1);
