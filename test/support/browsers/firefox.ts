import { type Browser, launch } from 'puppeteer-core';
import { executableOf } from '../machine/programs.ts';
import { atEnd } from '../machine/teardown.ts';

/** A proxy address without a proxy: requests to other machines fail there. Firefox uses no proxy for localhost. */
const NOWHERE = { host: '127.0.0.1', port: 1 };

/** Starts a real Firefox over WebDriver BiDi, with a new profile that reaches no host but this machine. It ends with the test, or the test file. */
export async function startFirefox({ acceptInsecureCerts = false } = {}): Promise<Browser> {
  const browser = await launch({
    browser: 'firefox',
    executablePath: executableOf('firefox-esr', 'firefox'),
    headless: true,
    acceptInsecureCerts,
    // Release builds of Firefox honour `services.settings.server` only with this variable.
    env: { ...process.env, MOZ_REMOTE_SETTINGS_DEVTOOLS: '1' },
    extraPrefsFirefox: {
      'services.settings.server': 'data:,#none',
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'dom.push.connection.enabled': false,
      'network.proxy.type': 1,
      'network.proxy.http': NOWHERE.host,
      'network.proxy.http_port': NOWHERE.port,
      'network.proxy.ssl': NOWHERE.host,
      'network.proxy.ssl_port': NOWHERE.port,
    },
    timeout: 60_000,
  });
  atEnd(() => browser.close());
  return browser;
}
