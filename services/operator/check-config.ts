import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exitCodes } from '../../shared/process/exit-codes.ts';
import { UsageError } from './usage-error.ts';

/** `oncegate check-config`: runs the ticket service's own check, as a process because no service imports another. */
export function checkConfig({
  token,
  strict,
}: {
  readonly token: string | undefined;
  readonly strict: boolean;
}): number {
  if (token !== undefined && !isReadable(token)) throw new UsageError(`${token} cannot be read`);
  const program = fileURLToPath(new URL('../ticket/check-config.js', import.meta.url));
  const options = [...(token === undefined ? [] : ['--token', token]), ...(strict ? ['--strict'] : [])];
  const { status } = spawnSync(process.execPath, [program, ...options], { stdio: 'inherit' });
  return status ?? exitCodes.fault;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
