import { WebSocket } from 'ws';
import { startChromium } from '../../support/browsers/chromium.ts';
import { startFirefox } from '../../support/browsers/firefox.ts';
import { CLIENT_BUNDLE } from '../../support/browsers/page-server.ts';

/** One call of `connect()`. A page gets it as JSON. */
export interface Job {
  /** Options of `connect()`. */
  readonly options: Readonly<Record<string, unknown>> & { readonly tickets: string };
  /** A cookie of the page's host. */
  readonly cookie?: string;
  /** The application sends this `POST` to `options.tickets` itself. */
  readonly request?: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly credentials?: string;
  };
}

/** The result of a call. */
export interface Told {
  /** The `code` of what `connect()` rejected with; null if it resolved. */
  readonly code: string | null;
  /** Null if it is undefined. */
  readonly status: number | null;
  readonly ticketId: string | null;
  /** The class and the text of the error, for people. */
  readonly error: string | null;
  /** How many WebSockets were created. */
  readonly sockets: number;
  /** How many `open` events they fired in all. */
  readonly opened: number;
}

/** A place where the client runs. */
export interface Runtime {
  readonly name: string;
  /** Whether its requests have an `Origin`, and CORS applies. */
  readonly isBrowser: boolean;
  /** @param page address of the page that calls, in a browser */
  run(page: string, job: Job): Promise<Told>;
}

type Connect = (options: object) => Promise<{ close(): void }>;

/** What is needed of a WebSocket class to count its sockets and their events. */
type SocketClass = new (
  url: string,
  protocols: string[],
) => { addEventListener(type: 'open', listener: () => void): void };

/**
 * Calls `connect()` and returns the result. Pages get the text of this function, so it uses nothing from outside.
 *
 * @param Given the WebSocket class to pass as an option; without one the client finds the global one
 */
async function call(connect: Connect, job: Job, Given?: SocketClass): Promise<Told> {
  // What is used of a page's global object.
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
      return fetch(options.tickets, init as RequestInit); // in JSON, `credentials` is a string
    });

  if (!Given) page.WebSocket = Counted;
  try {
    const socket = await connect({ ...options, ...(tickets && { tickets }), ...(Given && { WebSocket: Counted }) });
    socket.close();
    return { code: null, status: null, ticketId: null, error: null, sockets, opened };
  } catch (error) {
    const { code = null, status = null, ticketId = null } = error as Partial<Told>; // its fields are asserted, whatever it is
    return { code, status, ticketId, error: String(error), sockets, opened };
  } finally {
    if (!Given) page.WebSocket = Global;
  }
}

/** The text of an expression for a page. */
function callOf(job: Job): string {
  return `import('/oncegate.min.js').then(({ connect }) => (${call})(connect, ${JSON.stringify(job)}))`;
}

/** Debian's Chromium. Every call is made in a new page and a new profile. */
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

/** Debian's Firefox, in the same way. */
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

/** Node, with the WebSocket of `ws` as an option. */
export async function nodeWithWs(): Promise<Runtime> {
  const connect = await connectOfBundle();
  return { name: 'Node with ws', isBrowser: false, run: (_page, job) => call(connect, job, WebSocket) };
}

/** Node, with its own WebSocket. */
export async function nodeAlone(): Promise<Runtime> {
  const connect = await connectOfBundle();
  return { name: 'Node', isBrowser: false, run: (_page, job) => call(connect, job) };
}
