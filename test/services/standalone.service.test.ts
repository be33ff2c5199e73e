import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bearer, JWT_SECRET } from '../support/logins/bearer.ts';
import { basic } from '../support/logins/passwords.ts';
import { isMissing } from '../support/machine/programs.ts';
import { atEnd } from '../support/machine/teardown.ts';
import { until } from '../support/machine/wait.ts';
import { startRedis } from '../support/redis/redis.ts';
import { startCommand } from '../support/services/command-line.ts';
import { type IssuedTicket, type ServiceProcess, startService } from '../support/services/services.ts';
import { ask } from '../support/services/ticket-client.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';

const root = join(import.meta.dirname, '../..');

/** Starts standalone and waits for the end of its output. */
async function start(env: Record<string, string> = {}) {
  const service = await startService('standalone', env);
  await until(() => service.output().includes('npx oncegate connect ticket.json'));
  const ports = () => service.log.filter(({ event }) => event === 'listening').map(({ port }) => Number(port));
  await until(() => ports().length === 2);
  const [gatewayPort = 0, ticketPort = 0] = ports();
  return { service, gatewayPort, ticketPort, demo: demoOf(service) };
}

function demoOf(service: ServiceProcess): { name: string; password: string } | undefined {
  const match = / {2}demo user +(\S+)\n {2}password +(\S+) /.exec(service.output());
  return match === null ? undefined : { name: String(match[1]), password: String(match[2]) };
}

/** The two commands that a reader can paste. */
function linesToPaste(service: ServiceProcess): string[] {
  return service
    .output()
    .split('\n')
    .filter((line) => /^ {2}(curl|npx) /.test(line));
}

describe('standalone', () => {
  test('prints its addresses, the demo user and two commands', async () => {
    const { service, gatewayPort, ticketPort, demo } = await start();
    const output = service.output();

    expect(output).toContain(`ticket service   http://localhost:${ticketPort}\n`);
    expect(output).toContain(`gateway          ws://localhost:${gatewayPort}\n`);
    expect(output).toContain(`try it           http://localhost:${ticketPort}/#demo:${demo?.password}\n`);
    expect(output).toContain('in memory: nothing outlives this process');
    expect(demo).toEqual({ name: 'demo', password: expect.stringMatching(/^[A-Za-z0-9_-]{16}$/) });
    expect(linesToPaste(service)).toEqual([
      `  curl -s -u demo:${demo?.password} -X POST http://localhost:${ticketPort}/tickets | tee ticket.json`,
      '  npx oncegate connect ticket.json',
    ]);
    expect(JSON.stringify(service.log)).not.toContain(String(demo?.password));
  });

  test.each([
    ['127.0.0.2', '127.0.0.2'],
    ['0.0.0.0', 'localhost'],
    ['::', 'localhost'],
  ])('that listens on %s prints addresses that answer, and announces one', async (host, shown) => {
    const { service, gatewayPort, ticketPort } = await start({ HOST: host });
    const facts = await fetch(`http://${shown}:${ticketPort}/playground/facts`);

    expect(service.output()).toContain(`ticket service   http://${shown}:${ticketPort}\n`);
    expect(service.output()).toContain(`gateway          ws://${shown}:${gatewayPort}\n`);
    expect(await facts.json()).toMatchObject({ gateway_url: `ws://${shown}:${gatewayPort}` });
    expect((await fetch(`http://${shown}:${gatewayPort}/`)).status).toBe(426);
  });

  test('serves the playground, unless PLAYGROUND is false', async () => {
    const [on, off] = [await start(), await start({ PLAYGROUND: 'false' })];
    const page = await ask({ port: on.ticketPort }, '/', { credentials: null });
    const facts = await ask({ port: on.ticketPort }, '/playground/facts', { credentials: null });

    expect(page.text).toMatch(/^<!doctype html>/);
    expect(facts.body).toEqual({
      gateway_url: `ws://localhost:${on.gatewayPort}`,
      ttl_seconds: 30,
      demo_user: 'demo',
      existing_login: false,
      simulations: ['session', 'limit', 'store'],
    });
    expect((await ask({ port: off.ticketPort }, '/', { credentials: null })).status).toBe(404);
    expect(off.service.output()).not.toContain('try it');
  });

  test('makes another password for each run', async () => {
    const [first, second] = [await start(), await start()];

    expect(first.demo?.password).not.toBe(second.demo?.password);
  });

  test('issues tickets that open a connection', async () => {
    const { ticketPort, demo } = await start();
    const credentials = basic('demo', String(demo?.password));
    const { status, body } = await ask({ port: ticketPort }, '/tickets', { method: 'POST', credentials });
    const client = await openWebSocket(String(body.connect_url));
    await until(() => client.messages.length === 1);

    expect(status).toBe(201);
    expect(JSON.parse(String(client.messages[0]))).toMatchObject({
      type: 'hello',
      subject: 'demo',
      ticket_id: body.id,
    });
    expect((await ask({ port: ticketPort }, `/tickets/${body.id}`, { method: 'DELETE', credentials })).status).toBe(
      204,
    );
    expect(await client.closed).toEqual({ code: 3003, reason: 'revoked' });
    expect((await ask({ port: ticketPort }, '/tickets', { credentials: basic('demo', 'wrong') })).status).toBe(401);
  });

  test.skipIf(isMissing('curl'))('prints two lines that work in a shell as they are', async () => {
    const { service, demo } = await start();
    atEnd(async () => rmSync(join(root, 'ticket.json'), { force: true }));
    const shell = startCommand('sh', [], { cwd: root });
    for (const line of linesToPaste(service)) shell.child.stdin.write(`${line}\n`);
    await until(() => shell.stdout().includes('"type":"hello"'));
    shell.child.stdin.end('typed by a person\n');

    expect(await shell.exited).toBe(0);
    const [answer = '', hello, echoed] = shell.stdout().replace('}{', '}\n{').split('\n');
    const ticket = JSON.parse(answer) as IssuedTicket; // what POST /tickets answers
    expect(hello).toBe(`{"type":"hello","ticket_id":"${ticket.id}","subject":"demo","claims":{},"client_claims":{}}`);
    expect(echoed).toBe('typed by a person');
    expect(service.output()).not.toContain(ticket.ticket);
    expect(demo?.name).toBe('demo');
  });

  test('keeps its tickets in Redis if that is configured, and has no demo user if others can sign in', async () => {
    const redis = await startRedis();
    const { service, ticketPort, demo } = await start({ REDIS_URL: redis.url, AUTH_JWT_SECRET: JWT_SECRET });
    const credentials = await bearer('ada');
    let id = '';
    await until(async () => {
      const { status, body } = await ask({ port: ticketPort }, '/tickets', { method: 'POST', credentials });
      id = String(body.id);
      return status === 201;
    });

    expect(demo).toBeUndefined();
    expect(service.output()).not.toContain('in memory');
    expect(linesToPaste(service)[0]).toContain("-H 'Authorization: <your credentials>'");
    expect(await redis.client.hget(`oncegate:ticket:{${id.slice(0, 11)}}${id.slice(11)}`, 'subject')).toBe('ada');
  });

  test('drains on SIGTERM and exits with 0', async () => {
    const { service, ticketPort, demo } = await start({ DRAIN_SECONDS: '0' });
    const credentials = basic('demo', String(demo?.password));
    const { body } = await ask({ port: ticketPort }, '/tickets', { method: 'POST', credentials });
    const client = await openWebSocket(String(body.connect_url));
    service.signal('SIGTERM');

    expect(await client.closed).toEqual({ code: 1012, reason: 'draining;spread_seconds=0' });
    expect(await service.exited).toBe(0);
  });
});
