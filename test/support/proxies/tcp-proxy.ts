import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface TcpProxy {
  readonly port: number;
  /** Connections that were accepted so far. */
  readonly accepted: number;
  /**
   * Waits for the next request that contains a text: it is passed on, its reply is swallowed, and
   * both connections are cut. Resolves once that has happened.
   */
  loseReplyTo(text: string): Promise<void>;
  /** From now on nothing goes through any connection that is open, as on a network that is gone. */
  mute(): void;
  /** What happens to connections that are made from now on. */
  muteNew: boolean;
  /** Cuts every connection. */
  cut(): void;
}

interface Link {
  readonly downstream: Socket;
  readonly upstream: Socket;
  muted: boolean;
  swallow: boolean;
  sent: string;
}

/** A TCP proxy on 127.0.0.1 that loses what a test wants lost. It ends with the test. */
export async function startTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const links = new Set<Link>();
  let accepted = 0;
  let watched: { readonly text: string; readonly lost: () => void } | undefined;

  const server = createServer((downstream) => {
    accepted += 1;
    const upstream = connect(target.port, target.host);
    const link: Link = { downstream, upstream, muted: proxy.muteNew, swallow: false, sent: '' };
    links.add(link);
    const end = (): void => {
      links.delete(link);
      downstream.destroy();
      upstream.destroy();
    };
    downstream.on('data', (chunk: Buffer) => {
      if (link.muted) return;
      if (watched !== undefined) {
        link.sent += chunk.toString('latin1');
        if (link.sent.includes(watched.text)) link.swallow = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (link.muted) return;
      if (!link.swallow) {
        downstream.write(chunk);
        return;
      }
      end();
      watched?.lost();
      watched = undefined;
    });
    for (const socket of [downstream, upstream]) socket.on('error', end).on('close', end);
  });
  await listen(server);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');

  const proxy = {
    port: address.port,
    get accepted() {
      return accepted;
    },
    loseReplyTo(text: string) {
      return new Promise<void>((resolve) => {
        watched = { text, lost: resolve };
      });
    },
    mute() {
      for (const link of links) link.muted = true;
    },
    muteNew: false,
    cut() {
      for (const { downstream } of links) downstream.destroy();
    },
  };
  onTestFinished(() => {
    proxy.cut();
    server.close();
  });
  return proxy;
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}
