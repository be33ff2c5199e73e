import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { atEnd } from '../machine/teardown.ts';
import { passOn } from './pass-on.ts';

/** Headers that are for one hop only (RFC 9110 §7.6.1): whoever is not told about WebSockets drops them. */
const HOP_BY_HOP = ['connection', 'upgrade', 'keep-alive', 'te', 'trailer', 'transfer-encoding'];

/** An HTTP proxy that makes a plain request of every upgrade; its port. It ends with the test, or the test file. */
export async function startPlainProxy({ port }: { readonly port: number }): Promise<number> {
  const server = createServer((request, response) => {
    const kept = Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.includes(name));
    passOn(request, response, { port, headers: Object.fromEntries(kept) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port; // a TCP server that listens has one
}
