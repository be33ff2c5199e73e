import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const LISTENING = '0A';

/**
 * Counts the TCP sockets that a server has accepted on its port and not yet closed, in any state.
 */
export async function acceptedSockets({ pid, port }: { readonly pid: number; readonly port: number }): Promise<number> {
  if (process.platform !== 'linux') return acceptedByLsof(pid, port);
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8')));
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return tables
    .flatMap((table) => table.trim().split('\n').slice(1))
    .map((row) => row.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(local) && fields[3] !== LISTENING)
    .filter((fields) => fields[9] !== '0').length; // without an inode no process has the socket (TIME_WAIT and others)
}

async function acceptedByLsof(pid: number, port: number): Promise<number> {
  const args = ['-nP', '-a', '-p', String(pid), `-iTCP:${port}`];
  const { stdout } = await promisify(execFile)('lsof', args);
  return stdout.split('\n').filter((line) => line.includes(`:${port}->`)).length;
}
