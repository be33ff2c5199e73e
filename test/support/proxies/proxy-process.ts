import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { freePort } from '../machine/free-port.ts';
import { atEnd } from '../machine/teardown.ts';
import { until } from '../machine/wait.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const START_ATTEMPTS = 5;

export interface ProxyProcess {
  readonly port: number;
  /** Everything that it has written so far: its access log and both streams. */
  output(): string;
  /** Sends SIGTERM; resolves with the exit code, or the signal that ended it. */
  terminate(): Promise<number | NodeJS.Signals>;
}

export interface ProxyOptions {
  readonly command: string;
  /** Paths of files of the project. It runs in a folder of its own that has copies of them; the first is what is started. */
  readonly files: readonly [string, ...string[]];
  /** The command's arguments, from the path of the first file and that of its folder. */
  readonly args: (file: string, directory: string) => readonly string[];
  /** What stands for something else in the first file, as it is there, and what takes its place; given the port to listen on. */
  readonly replace: (port: number) => ReadonlyArray<readonly [from: string, to: string]>;
}

/** A real proxy with a configuration that the project ships, with other addresses. It is stopped with the test or the test file. */
export async function startProxy(options: ProxyOptions): Promise<ProxyProcess> {
  let failure: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    try {
      return await startOn(await freePort(), options);
    } catch (error) {
      failure = error; // most likely somebody else took the port
    }
  }
  throw new Error(`${options.command} does not start`, { cause: failure });
}

async function startOn(port: number, { command, files, args, replace }: ProxyOptions): Promise<ProxyProcess> {
  const dir = mkdtempSync(join(tmpdir(), `oncegate-${command}-`));
  for (const [index, path] of files.entries()) {
    const content = readFileSync(join(ROOT, path), 'utf8');
    writeFileSync(join(dir, basename(path)), index === 0 ? replaced(path, content, replace(port)) : content);
  }
  const child = spawn(command, [...args(join(dir, basename(files[0])), dir)], {
    cwd: dir,
    // Whatever it keeps of its own it keeps there.
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
    // One that waits for its connections to end waits in vain.
    const patience = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await exited;
    clearTimeout(patience);
    process.off('exit', killWithUs);
    rmSync(dir, { recursive: true, force: true });
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

/** Each of them has to be there, or it is not what this test thinks it is. In one pass: none touches what another wrote. */
function replaced(path: string, content: string, pairs: ReadonlyArray<readonly [string, string]>): string {
  for (const [from] of pairs) {
    if (!content.includes(from)) throw new Error(`${path} has no ${JSON.stringify(from)}`);
  }
  const others = new Map(pairs);
  const any = new RegExp(pairs.map(([from]) => from.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  return content.replace(any, (found) => others.get(found) ?? found);
}

/** The exit code, or the signal that ended it; what the system calls a program that is not there. */
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
