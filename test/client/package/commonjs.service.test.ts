import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { createFixtureProject } from './fixture-project.ts';

const root = resolve(import.meta.dirname, '..', '..', '..');

const modules = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace('.', 'oncegate'));

describe.each(modules)('a CommonJS project requires %s', (specifier) => {
  test('and gets what an ES module imports', async () => {
    const project = createFixtureProject();
    const required = await project.run(`console.log(JSON.stringify(Object.keys(require('${specifier}'))))`, 'commonjs');
    const imported = await project.run(`console.log(JSON.stringify(Object.keys(await import('${specifier}'))))`);
    expect(JSON.parse(required)).toEqual(JSON.parse(imported));
  });

  test.each(['node16', 'nodenext'])('with types, as a project with `module: %s`', async (module) => {
    const path = manifest.exports[specifier.replace('oncegate', '.') as './client'].default;
    const names = Object.keys(await import(pathToFileURL(join(root, path)).href));
    const files = {
      'import.cts': `import { ${names.join(', ')} } from '${specifier}'; export const all = [${names.join(', ')}];`,
      'require.cts': `import all = require('${specifier}'); export const { ${names.join(', ')} } = all;`,
      'missing.cts': `import { absent } from '${specifier}'; export default absent;`,
    };
    expect(await createFixtureProject().compile(files, module)).toEqual([
      expect.stringMatching(/^missing\.cts.* error TS2305: .*'absent'/),
    ]);
  });
});

test('the types are those of an ES module: classes, overloads and generics too', async () => {
  const program = (wrong = '') => `
    import { connect, ConnectRefused, OncegateSocket, type ConnectOptions, type WebSocketClass } from 'oncegate/client';
    import { admitUpgrade, type Admittance, type UpgradeGate } from 'oncegate/gateway';
    import { ticketRouter, type ApplicationPrincipal } from 'oncegate/express';
    import type { IncomingMessage } from 'node:http';
    class Chat extends OncegateSocket {}
    export const socket: OncegateSocket & WebSocket = new Chat({ path: '/chat' });
    export const options: ConnectOptions = { path: '/chat' };
    export const reasonOf = (error: unknown) => (error instanceof ConnectRefused ? error.code : undefined);
    export const gate: UpgradeGate<{ room: number }> = admitUpgrade<{ room: number }>();
    export const subjectOf = (request: IncomingMessage): string | undefined => request.oncegate?.subject;
    export const room = ({ claims }: Admittance<{ room: number }>): number => claims.room;
    export const router = ticketRouter({ authenticate: (): ApplicationPrincipal => ({ subject: 'ada' }) });
    export const given = (of: WebSocketClass<WebSocket>) => connect({ WebSocket: of });
    ${wrong}`;
  const files = {
    'right.cts': program(),
    'wrong.cts': program('export const code: "draining" = new ConnectRefused("draining").code;'),
  };
  expect(await createFixtureProject().compile(files, 'node16')).toEqual([
    expect.stringMatching(/^wrong\.cts.* error TS2322/),
  ]);
});
