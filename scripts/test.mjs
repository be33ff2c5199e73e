import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { provide } from './lib/programs.mjs';
import { bin, must, run, say } from './lib/run.mjs';

const soak = process.argv.includes('--soak');
const ci = process.env.CI === 'true';

ensureInstalled();

const missing = provide();
const needed = missing.filter((program) => program.required);
if (needed.length > 0) {
  for (const { name, remedy } of needed) say(`the tests need ${name}: ${remedy}`);
  process.exit(1);
}

build();

if (!soak) {
  say('checking style, types, unused code and generated pages');
  must(bin('biome'), ['check', '--error-on-warnings', '.']);
  must(bin('tsc'), ['-p', 'tsconfig.json']);
  must(bin('tsc'), ['-p', 'client/tsconfig.json']);
  must(bin('tsc'), ['-p', 'playground/tsconfig.json']);
  must(bin('tsc'), ['-p', 'examples/react/tsconfig.json']);
  must(bin('tsc'), ['-p', 'test/client/tsconfig.json']);
  must(bin('knip'), ['--no-progress']);
  must('node', ['scripts/docs.mjs', '--check']);
}

say(soak ? 'soaking' : 'testing');
const report = join(tmpdir(), `oncegate-tests-${process.pid}.json`);
const projects = soak ? ['slow'] : ci ? [] : ['unit', 'service', 'browser'];
const files = soak ? ['fleet/traffic', 'fleet/fuzz', 'fleet/handshake-fuzz'] : [];
const selection = [...projects.map((project) => `--project=${project}`), ...files];
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const passed = run(bin('vitest'), ['run', ...reporters, ...selection], {
  env: {
    ...process.env,
    PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin`,
    ONCEGATE_MISSING: missing.map(({ name }) => name).join(','),
    ...(soak && { ONCEGATE_SOAK: 'true' }),
  },
});

for (const { name, remedy } of missing) say(`skipped, because ${name} is missing: ${remedy}`);
const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
process.stdout.write(`tests: ${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped\n`);
if (!passed || (ci && (missing.length > 0 || numPendingTests > 0))) process.exit(1);
