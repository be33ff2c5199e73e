import { type Browser, chromium } from 'playwright-core';
import { executableOf } from '../machine/programs.ts';
import { atEnd } from '../machine/teardown.ts';

/** Starts a real Chromium with a new profile that resolves no host but this machine. It ends with the test, or the test file. */
export async function startChromium(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: executableOf('chromium', 'chromium-browser', 'google-chrome'),
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
