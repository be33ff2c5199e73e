import { spawnSync } from 'node:child_process';
import { type Browser, chromium } from 'playwright-core';
import { atEnd } from './teardown.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** A real Chromium with a profile of its own that knows no host but this machine. It ends with the test file. */
export async function startChromium(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: pathOf(NAMES),
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
    ],
    timeout: 60_000,
  });
  atEnd(() => browser.close());
  return browser;
}

function pathOf(names: readonly string[]): string {
  for (const name of names) {
    const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  throw new Error(`none of ${names.join(', ')} is installed`);
}
