import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { absentPrograms, provide } from './lib/programs.mjs';
import { bin, must, root, run, say } from './lib/run.mjs';

// npm test -- [--no-install] [part of a file's name ...] [options of vitest]
const OWN = ['--soak', '--no-install'];
const own = new Set(process.argv.slice(2).filter((argument) => OWN.includes(argument)));
const others = process.argv.slice(2).filter((argument) => !OWN.includes(argument));
const soak = own.has('--soak');
const ci = process.env.CI === 'true';
/** Whoever names files is at work on them: nothing is installed and nothing else is checked. */
const chosen = others.length > 0;
const installs = !chosen && !own.has('--no-install');

if (installs) ensureInstalled();
else if (!existsSync(bin('vitest'))) {
  say('the packages are missing: npm ci');
  process.exit(1);
}

const missing = installs ? provide() : absentPrograms();
const withoutRedis = missing.some(({ name }) => name === 'redis');
if (installs && withoutRedis) {
  for (const { name, remedy } of missing.filter((program) => program.required)) {
    say(`the tests need ${name}: ${remedy}; or without it: npm test -- --no-install`);
  }
  process.exit(1);
}

if (!chosen && !soak) checkStatically();

say(soak ? 'soaking' : 'testing');
const report = join(tmpdir(), `oncegate-tests-${process.pid}.json`);
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const passed = run(bin('vitest'), ['run', ...reporters, ...selection()], {
  env: {
    ...process.env,
    ONCEGATE_MISSING: missing.map(({ name }) => name).join(','),
    ...(soak && { ONCEGATE_SOAK: 'true' }),
  },
});
if (!existsSync(report)) process.exit(1);
const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
rmSync(report);
if (numPendingTests > 0 || (missing.length > 0 && !chosen)) tellSkipped();
process.stdout.write(`tests: ${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped\n`);
if (!passed || (ci && (missing.length > 0 || numPendingTests > 0))) process.exit(1);

function checkStatically() {
  build();
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

/** Which test files run. The project of a file is said by its name (vitest.config.ts). */
function selection() {
  if (soak) return ['--project=slow', 'fleet/traffic', 'fleet/fuzz', 'fleet/handshake-fuzz'];
  if (chosen) return others;
  const projects = withoutRedis ? ['unit'] : ['unit', 'service', 'browser', ...(ci ? ['slow'] : [])];
  return projects.map((project) => `--project=${project}`);
}

function tellSkipped() {
  for (const { name, remedy } of missing) say(`skipped, because ${name} is missing: ${remedy}`);
  if (withoutRedis && !chosen) say('skipped without redis: the projects service and browser');
  for (const { name, assertionResults } of testResults) {
    const skipped = assertionResults.filter(({ status }) => status === 'pending' || status === 'skipped').length;
    if (skipped > 0) say(`skipped in ${relative(root, name)}: ${skipped} of ${assertionResults.length}`);
  }
}
