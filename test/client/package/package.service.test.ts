import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { bearer } from '../../support/logins/bearer.ts';
import { setStage } from '../stage.ts';
import { createFixtureProject } from './fixture-project.ts';

const NAMES = ['ConnectRefused', 'ConnectionEnded', 'OncegateSocket', 'connect'];

const root = resolve(import.meta.dirname, '..', '..', '..');

describe('oncegate/client', () => {
  test('can be imported from the package in Node', async () => {
    const told = await createFixtureProject().run(`
      import * as client from 'oncegate/client';
      const { code, retry, name } = new client.ConnectRefused('not_seen');
      console.log(JSON.stringify([Object.keys(client), code, retry, name]));`);
    expect(JSON.parse(told)).toEqual([NAMES, 'not_seen', 'backoff', 'ConnectRefused']);
  });

  test('comes with its types', async () => {
    const program = (type: string) => `
      import { connect, ConnectRefused, type ConnectOptions, type ConnectCode } from 'oncegate/client';
      const options: ConnectOptions = { tickets: '/tickets', path: () => '/room/7' };
      export const socket: Promise<WebSocket> = connect(options);
      export const code: ${type} = new ConnectRefused('draining').code;`;
    const files = { 'right.ts': program('ConnectCode'), 'wrong.ts': program('"draining"') };
    expect(await createFixtureProject().compile(files)).toEqual([expect.stringMatching(/^wrong\.ts.*error TS2322/)]);
  });

  test('is also one file without imports, for pages without a bundler', async () => {
    const path = join(root, 'dist/client/oncegate.min.js');
    expect(readFileSync(path, 'utf8')).not.toMatch(/\bimport\b/);
    expect(Object.keys(await import(pathToFileURL(path).href))).toEqual(NAMES);
  });

  test('connects with the class of ws', async () => {
    const { tickets } = await setStage();
    const connected = await createFixtureProject().run(`
      import { connect } from 'oncegate/client';
      import { WebSocket } from 'ws';
      const headers = { Authorization: ${JSON.stringify(await bearer('ada'))} };
      const socket = await connect({ tickets: 'http://127.0.0.1:${tickets.port}/tickets', headers, WebSocket });
      socket.on('message', (data) => {
        console.log(String(data));
        socket.close();
      });`);
    expect(JSON.parse(connected)).toMatchObject({ type: 'hello', subject: 'ada' });
  });
});
