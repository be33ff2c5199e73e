import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bench, root } from '../paths.mjs';

const peers = join(bench, 'peers', 'npm');
const OURS = ['ws', 'ioredis', 'express', 'helmet', 'jose', 'socket.io'];
const DEBIAN = ['libnginx-mod-nchan', 'websockify'];
const PROGRAMS = {
  nginx: ['nginx', '-v'],
  haproxy: ['haproxy', '-v'],
  // Debian's own, which websockify runs on, not the first in the PATH.
  python3: ['/usr/bin/python3', '--version'],
};

/** The versions of what may have been measured, without what is not installed. */
export function describeVersions({ redis }) {
  const ofPeers = readJson(join(peers, 'package.json'))?.dependencies ?? {};
  return {
    node: process.versions.node,
    redis,
    ...Object.fromEntries(OURS.flatMap((name) => packageVersion(root, name))),
    ...Object.fromEntries(Object.keys(ofPeers).flatMap((name) => packageVersion(peers, name))),
    ...Object.fromEntries(Object.entries(PROGRAMS).flatMap(([name, command]) => programVersion(name, command))),
    ...Object.fromEntries(DEBIAN.flatMap((name) => debianVersion(name))),
  };
}

function packageVersion(folder, name) {
  const version = readJson(join(folder, 'node_modules', name, 'package.json'))?.version;
  return version === undefined ? [] : [[name, version]];
}

function debianVersion(name) {
  const { stdout } = spawnSync('dpkg-query', ['--status', name], { encoding: 'utf8' });
  const version = /^Version: (.+)$/m.exec(stdout ?? '')?.[1];
  return version === undefined ? [] : [[name, version]];
}

function programVersion(name, [command, ...args]) {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };
  const { stdout = '', stderr = '', error } = spawnSync(command, args, { env, encoding: 'utf8' });
  const version = /\d+\.\d+(?:\.\d+)*/.exec(`${stdout}${stderr}`)?.[0];
  return error !== undefined || version === undefined ? [] : [[name, version]];
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}
