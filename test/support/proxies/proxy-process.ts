import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { freePort } from '../machine/free-port.ts';
import { atEnd } from '../machine/teardown.ts';
import { temporaryDirectory } from '../machine/temporary-file.ts';
import { until } from '../machine/wait.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const START_ATTEMPTS = 5;

export interface ProxyProcess {
  readonly port: number;
  /** Its output so far: the access log and both streams. */
  output(): string;
  /** Sends SIGTERM; resolves with the exit code, or the signal that ended it. */
  terminate(): Promise<number | NodeJS.Signals>;
}

export interface ProxyOptions {
  readonly command: string;
  /** Files of the project that are copied to the folder it runs in. The first is its configuration. */
  readonly files: readonly [string, ...string[]];
  /** The command's arguments, given the path of the first file and of its folder. */
  readonly args: (file: string, directory: string) => readonly string[];
  /** Replacements in the first file, given the port to listen on. */
  readonly replace: (port: number) => ReadonlyArray<readonly [from: string, to: string]>;
}

/** Starts a real proxy with one of the project's configurations, on other addresses. It is stopped with the test, or the test file. */
export async function startProxy(options: ProxyOptions): Promise<ProxyProcess> {
  let failure: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    try {
      return await startOn(await freePort(), options);
    } catch (error) {
      failure = error; // most likely another process took the port
    }
  }
  throw new Error(`${options.command} does not start`, { cause: failure });
}

async function startOn(port: number, { command, files, args, replace }: ProxyOptions): Promise<ProxyProcess> {
  const dir = temporaryDirectory();
  for (const [index, path] of files.entries()) {
    const content = readFileSync(join(ROOT, path), 'utf8');
    writeFileSync(join(dir, basename(path)), index === 0 ? replaced(path, content, replace(port)) : content);
  }
  const child = spawn(command, [...args(join(dir, basename(files[0])), dir)], {
    cwd: dir,
    // Files of its own go there.
    env: { PATH: process.env.PATH ?? '', HOME: dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killWithUs = (): boolean => child.kill('SIGKILL');
  process.on('exit', killWithUs);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const exited = endOf(child);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    // It may wait for connections that never end.
    const patience = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await exited;
    clearTimeout(patience);
    process.off('exit', killWithUs);
  };
  const ended = exited.then(() => {
    throw new Error(`${command} ended: ${output}`);
  });
  ended.catch(() => {});
  try {
    await Promise.race([ended, until(() => accepts(port), { what: `${command} listens` })]);
  } catch (error) {
    await stop();
    throw error;
  }
  atEnd(stop);
  const accessLog = join(dir, 'access.log');
  return {
    port,
    output: () => (existsSync(accessLog) ? readFileSync(accessLog, 'utf8') : '') + output,
    terminate() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

/** Replaces each text in one pass, so that no replacement changes another. Throws if a text is missing. */
function replaced(path: string, content: string, pairs: ReadonlyArray<readonly [string, string]>): string {
  for (const [from] of pairs) {
    if (!content.includes(from)) throw new Error(`${path} has no ${JSON.stringify(from)}`);
  }
  const others = new Map(pairs);
  const any = new RegExp(pairs.map(([from]) => from.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  return content.replace(any, (found) => others.get(found) ?? found);
}

/** The exit code, or the signal that ended it; 127 if there is no such program. */
function endOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(127));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
