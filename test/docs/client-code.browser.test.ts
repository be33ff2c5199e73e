import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { startChromium } from '../support/browsers/chromium.ts';
import { type PageServer, startPageServer } from '../support/browsers/page-server.ts';
import { bearer } from '../support/logins/bearer.ts';
import { isMissing } from '../support/machine/programs.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { until } from '../support/machine/wait.ts';
import { type InProcess, runGateway, runTicketService } from '../support/services/in-process.ts';
import { codeBlocks, readText } from './pages.ts';

const root = join(import.meta.dirname, '..', '..');
const page = readText('docs/client.md');

/** The one block of a language that contains a text. */
function blockWith(text: string, language: string, document = page): string {
  const blocks = codeBlocks(document, language).filter((block) => block.includes(text));
  if (blocks.length !== 1) throw new Error(`${blocks.length} blocks with ${text}`);
  return String(blocks[0]);
}

describe.skipIf(isMissing('chromium'))('the code for browsers', () => {
  let browser: Browser;
  let tickets: InProcess;
  let site: PageServer;

  beforeAll(async () => {
    browser = await startChromium();
    site = await startPageServer();
    const gateway = await runGateway({ ALLOWED_ORIGINS: site.origin() });
    tickets = await runTicketService({ GATEWAY_URL: `ws://localhost:${gateway.port}` }, { store: gateway.store });
    site.serve(tickets.port);
  });

  /**
   * Runs a module in a page of this origin. Resolves with a list that what it writes to the console is added to.
   *
   * @param signedIn whether every request has the user's credentials, as with a cookie
   */
  async function run(code: string, { signedIn = true, origin = site.origin() } = {}): Promise<readonly string[]> {
    const authorization = await bearer('ada');
    const context = await browser.newContext(signedIn ? { extraHTTPHeaders: { Authorization: authorization } } : {});
    atEnd(() => context.close());
    const tab = await context.newPage();
    const said: string[] = [];
    tab.on('console', (message) => {
      if (message.type() === 'log') said.push(message.text());
    });
    tab.on('pageerror', (error) => said.push(String(error)));
    await tab.route('**/my/tickets', (route) => route.continue({ url: `${origin}/tickets` }));
    await tab.goto(origin);
    await tab.evaluate((token) => {
      Object.assign(globalThis, { accessToken: async () => token, showLogin: async () => token });
    }, authorization.slice('Bearer '.length));
    await tab.addScriptTag({ type: 'module', content: code.replace("'oncegate/client'", "'/oncegate.min.js'") });
    return said;
  }

  test('connects', async () => {
    const said = await run(blockWith('await connect({ path', 'js'));
    await until(() => said.length > 0);
    expect(said[0]).toMatch(/^\{"type":"hello",.*"subject":"ada"/);
  });

  test('says why it is refused', async () => {
    const said = await run(blockWith('await connect({ path', 'js'), { origin: site.origin('127.0.0.1') });
    await until(() => said.length > 0);
    expect(said).toEqual(['origin_refused']);
  });

  test('reports each state of a socket that comes back', async () => {
    const said = await run(blockWith('for good', 'js'));
    await until(() => said.includes('hello'));
    expect(said.filter((line) => !line.startsWith('{'))).toEqual([
      'issuing undefined undefined',
      'connecting undefined undefined',
      'open undefined undefined',
      'hello',
    ]);
  });

  test('of the README receives what it has sent', async () => {
    const said = await run(blockWith('OncegateSocket', 'js', readText('README.md')), { signedIn: false });
    await until(() => said.includes('hello'));
    expect(said.filter((line) => !line.startsWith('{'))).toEqual([
      'issuing undefined',
      'connecting undefined',
      'open undefined',
      'hello',
    ]);
  });

  test('gets its ticket from a function', async () => {
    const said = await run(blockWith('/my/tickets', 'js'));
    await until(() => said.length > 0);
    expect(said).toEqual(['true']);
  });

  test('signs in', async () => {
    const said = await run(blockWith('showLogin', 'js'), { signedIn: false });
    await until(() => said.length > 0);
    expect(said).toEqual(['open']);
  });

  test('defines a class for another library', async () => {
    const said = await run(`${blockWith('class TicketSocket', 'js')}
      const socket = new TicketSocket('wss://gateway.example.org/graphql?a=b', 'graphql-transport-ws');
      socket.onopen = () => console.log(socket.protocol, new URL(socket.url).search);
      socket.onmessage = () => socket.close(1000);
      socket.onclose = ({ code }) => console.log(code);`);
    await until(() => said.length > 1);
    expect(said).toEqual(['graphql-transport-ws ?a=b', '1000']);
  });
});

/** Compiles modules that import the package by its name. Returns the diagnostics. */
function compile(modules: readonly string[]): string {
  const artefacts = join(root, 'test', 'artefacts');
  mkdirSync(artefacts, { recursive: true });
  // In the project: there `oncegate/client` is built, and `ws` is installed.
  const folder = mkdtempSync(join(artefacts, 'client-code-'));
  atEnd(async () => rmSync(folder, { recursive: true }));
  const compilerOptions = { types: ['node'], lib: ['ES2023', 'ES2024.String', 'DOM', 'DOM.Iterable'] };
  const config = { extends: join(root, 'client', 'tsconfig.json'), compilerOptions, include: ['*.ts'], exclude: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  for (const [index, text] of modules.entries()) writeFileSync(join(folder, `${index}.ts`), text);
  const { stdout } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder], { encoding: 'utf8' });
  return stdout;
}

describe('the code with types', () => {
  test('compiles', () => {
    const blocks = codeBlocks(page, 'ts');
    expect(blocks.length).toBeGreaterThan(3);
    expect(compile(blocks)).toBe('');
  });

  test('does not compile if a code is missing', () => {
    const block = blockWith('whereToLook', 'ts');
    expect(compile([block.replace("    case 'unexplained':\n", '')])).toMatch(/error TS2366: .*lacks ending return/);
  });
});
