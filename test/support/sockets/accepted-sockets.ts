import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const LISTENING = '0A';

/**
 * How many TCP sockets a server has on its port, besides the one that it listens with: those that it
 * has accepted and has not let go of yet, whatever their state.
 */
export async function acceptedSockets({ pid, port }: { readonly pid: number; readonly port: number }): Promise<number> {
  if (process.platform !== 'linux') return acceptedByLsof(pid, port);
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8')));
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return tables
    .flatMap((table) => table.trim().split('\n').slice(1))
    .map((row) => row.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(local) && fields[3] !== LISTENING)
    .filter((fields) => fields[9] !== '0').length; // no inode: no process has it any more (TIME_WAIT and the like)
}

async function acceptedByLsof(pid: number, port: number): Promise<number> {
  const args = ['-nP', '-a', '-p', String(pid), `-iTCP:${port}`];
  const { stdout } = await promisify(execFile)('lsof', args);
  return stdout.split('\n').filter((line) => line.includes(`:${port}->`)).length;
}
