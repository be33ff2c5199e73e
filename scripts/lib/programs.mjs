import { spawnSync } from 'node:child_process';
import { run, say } from './run.mjs';

/**
 * Programs that the tests run for real. `required`: without it there is no point in testing;
 * the others cost only their suite. `check`: what succeeds where it is there, if its command alone does not tell.
 */
const programs = [
  { name: 'redis', commands: ['redis-server', 'valkey-server'], apt: 'redis-server', brew: 'redis', required: true },
  { name: 'nginx', commands: ['nginx'], apt: 'nginx-light', brew: 'nginx' },
  { name: 'caddy', commands: ['caddy'], apt: 'caddy', brew: 'caddy' },
  { name: 'haproxy', commands: ['haproxy'], apt: 'haproxy', brew: 'haproxy' },
  { name: 'openssl', commands: ['openssl'], apt: 'openssl', brew: 'openssl' },
  { name: 'curl', commands: ['curl'], apt: 'curl', brew: 'curl' },
  { name: 'chromium', commands: ['chromium', 'chromium-browser', 'google-chrome'], apt: 'chromium', brew: 'chromium' },
  { name: 'firefox', commands: ['firefox-esr', 'firefox'], apt: 'firefox-esr', brew: 'firefox' },
  { name: 'docker-compose', commands: ['docker-compose'], apt: 'docker-compose', brew: 'docker-compose' },
  {
    name: 'python3-websockets',
    check: ['/usr/bin/python3', '-c', 'import websockets'],
    apt: 'python3-websockets',
    elsewhere: '/usr/bin/python3 -m pip install websockets',
  },
  // The load generator of the bench is written for Linux.
  ...(process.platform === 'linux' ? [{ name: 'cc', commands: ['cc'], apt: 'build-essential' }] : []),
  // macOS has a java that only asks for one to be installed.
  { name: 'java', check: ['javac', '-version'], apt: 'default-jdk-headless', brew: 'openjdk' },
];

/** `PATH`, and where else programs are: nginx lives in /usr/sbin, which is not on everybody's. */
export const searchPath = `${process.env.PATH}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin`;

/** The programs that this machine lacks, each with the command that installs it. */
export function absentPrograms() {
  return programs.filter((program) => !isPresent(program)).map((program) => ({ ...program, remedy: remedy(program) }));
}

/** Installs what is missing where that is allowed, and returns what is missing still. */
export function provide() {
  const absent = absentPrograms();
  const installer = absent.length > 0 ? findInstaller() : undefined;
  const names = absent.map((program) => program[installer?.kind]).filter((name) => name !== undefined);
  if (installer === undefined || names.length === 0) return absent;
  say(`about to install with ${installer.kind}: ${names.join(', ')} (without: npm test -- --no-install)`);
  installer.install(names);
  return absentPrograms();
}

function isPresent({ commands, check }) {
  if (check !== undefined) return succeeds(check[0], check.slice(1));
  return commands.some(
    (command) =>
      spawnSync('sh', ['-c', `command -v ${command}`], { env: { ...process.env, PATH: searchPath } }).status === 0,
  );
}

function findInstaller() {
  if (succeeds('apt-get', ['--version'])) {
    const root = process.getuid?.() === 0;
    if (!root && !succeeds('sudo', ['-n', 'true'])) return undefined;
    const apt = (args) => {
      const command = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args];
      const [first, ...rest] = root ? command : ['sudo', '-n', ...command];
      return run(first, rest, { stdio: ['ignore', 'ignore', 'inherit'] });
    };
    return {
      kind: 'apt',
      install: (names) => apt(['update']) && apt(['install', '-y', '--no-install-recommends', ...names]),
    };
  }
  if (succeeds('brew', ['--version']))
    return { kind: 'brew', install: (names) => run('brew', ['install', '-q', ...names]) };
  return undefined;
}

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function remedy({ apt, brew, elsewhere }) {
  if (process.platform !== 'darwin') return `sudo apt-get install ${apt}`;
  return brew === undefined ? elsewhere : `brew install ${brew}`;
}
