import { createServer } from 'node:http';
import express from 'express';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { admitUpgrade } from '../../services/gateway/fronts/embed.ts';
import { ticketRouter } from '../../services/ticket/fronts/express.ts';
import { httpRequest } from '../support/http/http-request.ts';
import { listen } from '../support/machine/listen.ts';
import { openWebSocket } from '../support/sockets/web-socket.ts';

type Settings = Readonly<Record<string, string>>;

const QUIET = { LOG_LEVEL: 'silent', DRAIN_SECONDS: '0' };
const closing: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const newRouter = (settings: Settings = {}) => {
  const router = ticketRouter({ authenticate: () => ({ subject: 'ada' }), settings: { ...QUIET, ...settings } });
  closing.push(() => router.close());
  return router;
};
const newGate = (settings: Settings = {}) => {
  const gate = admitUpgrade({ settings: { ...QUIET, ...settings } });
  closing.push(() => gate.close());
  return gate;
};

/** An application with both halves, neither of which has a Redis. */
async function serve(router = newRouter(), gate = newGate()) {
  const server = createServer(express().use(router));
  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', async (request, socket, head) => {
    if (await gate(request, socket, head)) wss.handleUpgrade(request, socket, head, () => {});
  });
  const port = await listen(server);
  const headers = { 'Content-Type': 'application/json', 'X-Requested-With': 'test' };
  const issue = async () => {
    const { body } = await httpRequest(port, '/tickets', { method: 'POST', headers, body: '{}' });
    return body as { id: string; ticket: string };
  };
  const open = (ticket: string) => openWebSocket(`ws://127.0.0.1:${port}/?ticket=${ticket}`);
  const revoke = (id: string) => httpRequest(port, `/tickets/${id}`, { method: 'DELETE', headers });
  return { issue, open, revoke };
}

test('a gate admits with the ticket of a router of the same process, once', async () => {
  const { issue, open, revoke } = await serve();
  const { id, ticket } = await issue();
  const { closed } = await open(ticket);

  await expect(open(ticket)).rejects.toMatchObject({ status: 401, code: 'ticket_consumed' });
  await revoke(id);
  expect(await closed).toEqual({ code: 3003, reason: 'revoked' });
});

test('whichever was made first, and whatever else their settings are', async () => {
  const gate = newGate({ LEASE_SECONDS: '120' });
  const { issue, open } = await serve(newRouter({ TICKET_RETENTION_SECONDS: '10' }), gate);
  await open((await issue()).ticket);
});

test('a gate with another key prefix does not know the ticket', async () => {
  const { issue, open } = await serve(newRouter(), newGate({ REDIS_KEY_PREFIX: 'other:' }));
  await expect(open((await issue()).ticket)).rejects.toMatchObject({ status: 401, code: 'ticket_unknown' });
});

test('what one of several has closed, the others still have', async () => {
  const [first, second] = [newRouter(), newRouter()];
  const gate = newGate();
  const { issue, open } = await serve(first, gate);
  const { ticket } = await issue();
  await second.close();
  await second.close();
  await open(ticket);
});

test('the tickets go when the last of them has closed', async () => {
  const router = newRouter();
  const gate = newGate();
  const { issue } = await serve(router, gate);
  const { ticket } = await issue();
  await Promise.all([router.close(), gate.close()]);

  const { open } = await serve();
  await expect(open(ticket)).rejects.toMatchObject({ status: 401, code: 'ticket_unknown' });
});
