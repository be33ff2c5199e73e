import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startCommand } from '../../support/services/command-line.ts';

const LOG = pathToFileURL(join(import.meta.dirname, '../../../dist/shared/process/log.js')).href;

/** What a process logs that runs this code with a logger, and ends. */
async function logOf(code: string): Promise<string[]> {
  const source = `import { createLogger } from '${LOG}'; const log = createLogger('info', {}); ${code}`;
  const command = startCommand(process.execPath, ['--input-type=module', '--eval', source], {});
  await command.exited;
  const lines = command.stdout().trim().split('\n');
  return lines.map((line) => (JSON.parse(line) as { readonly msg: string }).msg); // what pino writes
}

describe('the last line is written', () => {
  test.each([
    ['ends by itself', "log.info('first'); log.info('last');"],
    ['exits', "log.info('first'); log.info('last'); process.exit(0);"],
    ['fails', "log.info('first'); log.info('last'); setTimeout(() => { throw new Error('for this test'); });"],
    ['logs while it exits', "log.info('first'); process.on('exit', () => log.info('last')); process.exit(0);"],
  ])('of a process that %s', async (_name, code) => {
    for (let run = 0; run < 5; run += 1) expect(await logOf(code)).toEqual(['first', 'last']);
  });
});
