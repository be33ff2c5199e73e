import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { atEnd } from '../support/machine/teardown.ts';

const CPU = join(import.meta.dirname, '..', '..', 'bench', 'lib', 'machine', 'cpu.mjs');
const { startMeter } = (await import(pathToFileURL(CPU).href)) as {
  startMeter: (pids: readonly number[]) => () => number;
};

/** Burns 300 ms of CPU by the account of its process, in steps so long that asking for it costs nothing. */
const BURN = `
  const used = () => { const { user, system } = process.cpuUsage(); return user + system; };
  const until = used() + 300_000;
  while (used() < until) for (let step = 0; step < 1e6; step += 1);`;
const PROGRAMS = {
  'by itself': `process.stdin.on('data', () => { ${BURN} console.log('burnt'); }); console.log('ready');`,
  'in a thread that ends': `
    const { Worker } = require('node:worker_threads');
    const idle = new Worker('setInterval(() => {}, 1000)', { eval: true });
    process.stdin.on('data', () => {
      new Worker(${JSON.stringify(BURN)}, { eval: true }).once('exit', () => console.log('burnt'));
    });
    idle.once('online', () => console.log('ready'));`,
  'in a child that ends': `
    const { spawn } = require('node:child_process');
    process.stdin.on('data', () => {
      spawn(process.execPath, ['-e', ${JSON.stringify(BURN)}]).once('exit', () => console.log('burnt'));
    });
    console.log('ready');`,
};

const onLinux = test.skipIf(process.platform !== 'linux');

onLinux.each(Object.entries(PROGRAMS))('sees the CPU that a process uses %s', async (_, program) => {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  atEnd(async () => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');

  const meter = startMeter([child.pid ?? 0]);
  child.stdin.write('go');
  await once(child.stdout, 'data');
  const used = meter() / 1e6;

  expect(used).toBeGreaterThan(270);
  // Starting a thread or another node costs something too.
  expect(used).toBeLessThan(900);
});
