import { connect, createServer, type Socket } from 'node:net';
import { listen } from '../machine/listen.ts';

/** A TCP proxy on 127.0.0.1 that fails in the ways a network does. It ends with the test, or the test file. */
export interface TcpProxy {
  readonly port: number;
  /** How many connections it has accepted so far. */
  readonly accepted: number;
  /** Ends every connection, and every new one at once, until {@link restore}. */
  cut(): void;
  /** Accepts connections again after {@link cut}. */
  restore(): void;
  /** Ends every connection, and accepts new ones. */
  endConnections(): void;
  /** From now on passes nothing on any open connection, in either direction. */
  mute(): void;
  /** Mutes every open connection, and passes on no end of the gateway's side either. */
  silence(): void;
  /** Whether connections that are made from now on are muted. */
  muteNew: boolean;
  /**
   * Waits for the next request that contains a text, passes it on, discards its reply, and ends the connection.
   * Resolves after that.
   */
  loseReplyTo(text: string): Promise<void>;
  /** Resolves when a client has sent this text; from then on whatever clients send waits for {@link release}. */
  hold(text: string): Promise<void>;
  /** Passes on what waits, and whatever comes from now on. */
  release(): void;
}

interface Link {
  readonly downstream: Socket;
  readonly upstream: Socket;
  muted: boolean;
  /** Whether the client does not learn that the other side has ended. */
  silent: boolean;
  /** What the client has sent since the proxy watches for a text. */
  sent: string;
  /** Set if the next reply is to be lost; called when it is. */
  replyLost: (() => void) | undefined;
}

export async function startTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const links = new Set<Link>();
  const waiting: Array<() => void> = [];
  let watched: { readonly text: string; readonly found: (link: Link) => void } | undefined;
  let accepted = 0;
  let isCut = false;
  let isHolding = false;

  function watchFor(text: string, found: (link: Link) => void): void {
    for (const link of links) link.sent = '';
    watched = { text, found };
  }
  function look(link: Link, chunk: Buffer): void {
    if (watched === undefined) return;
    link.sent += chunk.toString('latin1');
    if (!link.sent.includes(watched.text)) return;
    watched.found(link);
    watched = undefined;
  }
  function endConnections(): void {
    for (const { downstream, upstream } of links) {
      downstream.destroy();
      upstream.destroy();
    }
  }

  const server = createServer((downstream) => {
    accepted += 1;
    if (isCut) {
      downstream.destroy();
      return;
    }
    const upstream = connect(target);
    const link: Link = { downstream, upstream, muted: proxy.muteNew, silent: false, sent: '', replyLost: undefined };
    links.add(link);
    const end = (): void => {
      links.delete(link);
      downstream.destroy();
      upstream.destroy();
    };
    downstream.on('data', (chunk: Buffer) => {
      if (link.muted) return;
      look(link, chunk);
      if (isHolding) waiting.push(() => upstream.write(chunk));
      else upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (link.muted) return;
      if (link.replyLost === undefined) {
        downstream.write(chunk);
        return;
      }
      end();
      link.replyLost();
    });
    downstream.on('error', end).on('close', end);
    const endUnlessSilent = () => link.silent || end();
    upstream.on('error', endUnlessSilent).on('close', endUnlessSilent);
  });

  const proxy: TcpProxy = {
    port: await listen(server),
    get accepted() {
      return accepted;
    },
    cut() {
      isCut = true;
      endConnections();
    },
    restore() {
      isCut = false;
    },
    endConnections,
    mute() {
      for (const link of links) link.muted = true;
    },
    silence() {
      for (const link of links) Object.assign(link, { muted: true, silent: true });
    },
    muteNew: false,
    loseReplyTo: (text) =>
      new Promise((resolve) => {
        watchFor(text, (link) => {
          link.replyLost = resolve;
        });
      }),
    hold: (text) =>
      new Promise((resolve) => {
        watchFor(text, () => {
          isHolding = true;
          resolve();
        });
      }),
    release() {
      isHolding = false;
      for (const pass of waiting.splice(0)) pass();
    },
  };
  return proxy;
}
