import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { exitCodes } from '../../shared/process/exit-codes.ts';

/** `oncegate check-config`: runs the ticket service's own check, as a process because no service imports another. */
export function checkConfig(): number {
  const program = fileURLToPath(new URL('../ticket/check-config.js', import.meta.url));
  const { status } = spawnSync(process.execPath, [program], { stdio: 'inherit' });
  return status ?? exitCodes.fault;
}
