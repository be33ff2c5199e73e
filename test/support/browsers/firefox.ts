import { type Browser, launch } from 'puppeteer-core';
import { executableOf } from '../machine/programs.ts';
import { atEnd } from '../machine/teardown.ts';

/** A proxy that nobody is: what is not for this machine ends there. Firefox asks none for localhost. */
const NOWHERE = { host: '127.0.0.1', port: 1 };

/** A real Firefox, driven over WebDriver BiDi, with a profile of its own that knows no host but this machine. It ends with the test file. */
export async function startFirefox(): Promise<Browser> {
  const browser = await launch({
    browser: 'firefox',
    executablePath: executableOf('firefox-esr', 'firefox'),
    headless: true,
    // A release of Firefox minds the address of its settings' service only with this.
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
