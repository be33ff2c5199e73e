import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bench } from '../paths.mjs';

const peers = join(bench, 'peers', 'npm');
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** What was tried: a download that failed is not tried again for the next peer. */
const tried = new Map();

/** Installs the packages of peers/npm/package.json. Throws if that fails; the peer is then skipped. */
export function installPeerPackages() {
  // npm writes this file last, so an incomplete installation is repeated.
  if (existsSync(join(peers, 'node_modules', '.package-lock.json'))) return;
  const failure = once('npm', () =>
    run('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'], peers),
  );
  if (failure !== undefined) throw new Error(`npm cannot install it: ${failure}`);
}

/**
 * Makes sure that a Debian package is installed. Only root installs it, with apt-get.
 *
 * @param {string} name
 * @param {() => boolean} isPresent
 */
export function requireDebianPackage(name, isPresent) {
  if (isPresent()) return;
  if (process.getuid?.() !== 0) throw new Error(`${name} is not installed, and only root can install it`);
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq'];
  const update = once('apt-get update', () => run(environment[0], [...environment.slice(1), 'update']));
  const failure =
    update ??
    once(name, () => run(environment[0], [...environment.slice(1), 'install', '-y', '--no-install-recommends', name]));
  if (failure !== undefined) throw new Error(`${name} cannot be installed: ${failure}`);
  if (!isPresent()) throw new Error(`${name} is installed, but was not found`);
}

/** Whether a command is found. nginx and others are in /usr/sbin, which is not on every PATH. */
export function hasCommand(name) {
  return spawnSync('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH } }).status === 0;
}

/** Whether Debian's own Python finds a module. */
export function hasPythonModule(name) {
  return spawnSync('/usr/bin/python3', ['-c', `import ${name}`], { stdio: 'ignore' }).status === 0;
}

function once(what, task) {
  if (!tried.has(what)) tried.set(what, task());
  return tried.get(what);
}

/** @returns {string | undefined} why it failed */
function run(command, args, cwd) {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 300_000 });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : (stderr.trim().split('\n').at(-1) ?? `exit ${status}`);
}
