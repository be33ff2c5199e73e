import { WebSocket } from 'ws';
import { startChromium } from '../../support/browsers/chromium.ts';
import { startFirefox } from '../../support/browsers/firefox.ts';
import { CLIENT_BUNDLE } from '../../support/browsers/page-server.ts';

/** One call of `connect()`. It is handed to a page, so all of it is JSON. */
export interface Job {
  /** Options of `connect()`. */
  readonly options: Readonly<Record<string, unknown>> & { readonly tickets: string };
  /** A cookie of the page's host. */
  readonly cookie?: string;
  /** The application sends the `POST` to `options.tickets` by itself, with this. */
  readonly request?: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly credentials?: string;
  };
}

/** What came of it. */
export interface Told {
  /** The `code` of what `connect()` rejected with; null where it resolved. */
  readonly code: string | null;
  /** null where it is undefined. */
  readonly status: number | null;
  readonly ticketId: string | null;
  /** The class and the text of the error, for people. */
  readonly error: string | null;
  /** How many WebSockets were made. */
  readonly sockets: number;
  /** How many `open` events they fired together. */
  readonly opened: number;
}

/** A place where the client runs. */
export interface Runtime {
  readonly name: string;
  /** Whether what it sends has an `Origin`, and CORS is minded. */
  readonly isBrowser: boolean;
  /** @param page the address of the page that calls, where it is a browser */
  run(page: string, job: Job): Promise<Told>;
}

type Connect = (options: object) => Promise<{ close(): void }>;

/** As much of a WebSocket class as is needed to count what its sockets do. */
type SocketClass = new (
  url: string,
  protocols: string[],
) => { addEventListener(type: 'open', listener: () => void): void };

/**
 * Calls `connect()` and tells what came of it. The same code everywhere: pages are given its text, so it
 * uses nothing from outside itself.
 *
 * @param Given the WebSocket class to pass as an option; without one the client finds the global one
 */
async function call(connect: Connect, job: Job, Given?: SocketClass): Promise<Told> {
  // What a page has, as far as it is used here.
  const page = globalThis as unknown as { WebSocket: SocketClass; document?: { cookie: string } };
  const { WebSocket: Global } = page;
  let sockets = 0;
  let opened = 0;
  class Counted extends (Given ?? Global) {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets += 1;
      this.addEventListener('open', () => {
        opened += 1;
      });
    }
  }
  const { options, cookie, request } = job;
  if (cookie && page.document) page.document.cookie = cookie;
  const cookieOfNode = cookie && !page.document ? { Cookie: cookie } : {};
  const tickets =
    request &&
    (() => {
      const headers = { ...request.headers, ...cookieOfNode };
      const init = { ...request, method: 'POST', headers };
      return fetch(options.tickets, init as RequestInit); // `credentials` is a text in JSON
    });

  if (!Given) page.WebSocket = Counted;
  try {
    const socket = await connect({ ...options, ...(tickets && { tickets }), ...(Given && { WebSocket: Counted }) });
    socket.close();
    return { code: null, status: null, ticketId: null, error: null, sockets, opened };
  } catch (error) {
    const { code = null, status = null, ticketId = null } = error as Partial<Told>; // whatever it is, it is asserted on
    return { code, status, ticketId, error: String(error), sockets, opened };
  } finally {
    if (!Given) page.WebSocket = Global;
  }
}

/** The text of an expression for a page. */
function callOf(job: Job): string {
  return `import('/oncegate.min.js').then(({ connect }) => (${call})(connect, ${JSON.stringify(job)}))`;
}

/** Debian's Chromium; every call is made in a page and a profile of its own. */
export async function chromium(): Promise<Runtime> {
  const browser = await startChromium();
  return {
    name: 'Chromium',
    isBrowser: true,
    async run(address, job) {
      const context = await browser.newContext();
      try {
        const page = await context.newPage();
        await page.goto(address);
        return await page.evaluate<Told>(callOf(job));
      } finally {
        await context.close();
      }
    },
  };
}

/** Debian's Firefox, likewise. */
export async function firefox(): Promise<Runtime> {
  const browser = await startFirefox();
  return {
    name: 'Firefox',
    isBrowser: true,
    async run(address, job) {
      const context = await browser.createBrowserContext();
      try {
        const page = await context.newPage();
        await page.goto(address);
        return (await page.evaluate(callOf(job))) as Told; // what the expression resolves with
      } finally {
        await context.close();
      }
    },
  };
}

async function connectOfBundle(): Promise<Connect> {
  const { connect } = (await import(CLIENT_BUNDLE.href)) as { connect: Connect }; // client/index.ts exports it
  return connect;
}

/** This Node with the WebSocket of `ws`, as an option. */
export async function nodeWithWs(): Promise<Runtime> {
  const connect = await connectOfBundle();
  return { name: 'Node with ws', isBrowser: false, run: (_page, job) => call(connect, job, WebSocket) };
}

/** This Node's own WebSocket. */
export async function nodeAlone(): Promise<Runtime> {
  const connect = await connectOfBundle();
  return { name: 'Node', isBrowser: false, run: (_page, job) => call(connect, job) };
}
