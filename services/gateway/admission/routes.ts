import { z } from 'zod';
import { parseJsonFile } from '../../../shared/files/json-file.ts';
import { type ReloadedFile, reloadedFile } from '../../../shared/files/reloaded-file.ts';
import type { ParsedFile } from '../../../shared/files/watched-file.ts';
import type { Logger } from '../../../shared/process/log.ts';
import type { Rule } from '../../../shared/settings/load.ts';
import type { Settings } from '../../../shared/settings/table.ts';
import { webSocketUrl } from '../../../shared/settings/values.ts';
import { AUDIENCE, AUDIENCE_FORM } from '../../../shared/ticket/audience.ts';
import { HOST, HOST_FORM } from '../../../shared/ticket/origin.ts';
import { allowsSelf, isListable } from '../../../shared/ticket/origin-list.ts';
import { decodedPath } from '../../../shared/ticket/path.ts';
import { pathSchema } from '../../../shared/ticket/path-schema.ts';
import type { Upstream } from '../upstream/dial.ts';
import { ID_SEGMENT } from './handshake.ts';
import { SELF_NEEDS_HOSTS } from './origin-rule.ts';

/** What serves a path of the gateway, and the rules for connecting to it. */
export interface Route {
  /** The route has every path below this one: `/chat` has `/chat` and `/chat/7`, but not `/chats`. */
  readonly prefix: string;
  /** The prefix as {@link decodedPath} has it. */
  readonly decodedPrefix: string;
  /** Without an upstream the built-in echo answers. */
  readonly upstream: Upstream | undefined;
  readonly audience: string | undefined;
  readonly allowedOrigins: readonly string[] | undefined;
  readonly maxMessageBytes: number;
  /** The most open connections of one subject, over all routes; 0 for no limit. */
  readonly maxConnectionsPerSubject: number;
  /** The most open connections of this route on this gateway; 0 for no limit. */
  readonly maxConnections: number;
  /**
   * After how many seconds without a byte from either side an upstream counts as lost; 0 for never. Answers to
   * pings are bytes.
   */
  readonly idleSeconds: number;
}

/**
 * Finds the route of a path; undefined where there is none. `'unclear'`: a server that decodes the path, or cuts path
 * parameters off its segments, takes it for one of another route.
 */
export type FindRoute = (path: string) => Route | 'unclear' | undefined;

/** The word for the client's own `Host`. No host name of one label is meant by it. */
const PRESERVE = 'preserve';
const milliseconds = z.int().min(10).max(60_000);

const routeSchema = z.strictObject({
  path: pathSchema
    .refine((path) => !ID_SEGMENT.test(path), 'must not begin with /~ and a ticket id, which is taken off a path')
    .refine((path) => path === '/' || !path.endsWith('/'), 'must not end with a slash')
    .max(1_024)
    .describe('The path prefix, by whole segments. The longest that fits decides.'),
  upstream: z
    .string()
    .refine((text) => webSocketUrl.schema.safeParse(text).success, `must be ${webSocketUrl.form}`)
    .describe('Where the back end is; a path in it goes in front of the client’s.'),
  host: z
    .string()
    .regex(HOST, `must be ${PRESERVE}, or ${HOST_FORM}`)
    .optional()
    .describe(`The Host that the back end is sent: a name, or ${PRESERVE} for the client’s. Absent: ${PRESERVE}.`),
  audience: z
    .string()
    .regex(AUDIENCE, `must be ${AUDIENCE_FORM}`)
    .optional()
    .describe('Tickets for this audience alone. Absent: GATEWAY_AUDIENCE.'),
  allowed_origins: z
    .array(z.string().refine(isListable, 'must be an origin, https://*.example.org for one label, self, or *'))
    .min(1)
    .optional()
    .describe('Origins whose pages may connect, as in ALLOWED_ORIGINS. Absent: those.'),
  max_message_bytes: z.int().min(1).max(104_857_600).optional().describe('Absent: MAX_MESSAGE_BYTES.'),
  max_connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('The most open connections of this route on one gateway. Absent: no limit beside MAX_CONNECTIONS.'),
  max_connections_per_subject: z
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe(
      'A subject at this many open connections, of all routes, gets no more. Absent: MAX_CONNECTIONS_PER_SUBJECT.',
    ),
  connect_timeout_ms: milliseconds.optional().describe('Absent: UPSTREAM_CONNECT_TIMEOUT_MS.'),
  handshake_timeout_ms: milliseconds.optional().describe('Absent: UPSTREAM_HANDSHAKE_TIMEOUT_MS.'),
  idle_seconds: z
    .int()
    .min(0)
    .max(86_400)
    .optional()
    .describe('Absent: UPSTREAM_IDLE_SECONDS. It has an effect below HEARTBEAT_SECONDS only.'),
});

/** The schema of a routes file, which docs/routes.schema.json publishes. */
export const routesSchema = z.strictObject({
  $schema: z.string().optional(),
  routes: z
    .array(routeSchema)
    .min(1)
    .refine(
      (routes) => new Set(routes.map(({ path }) => decodedPath(path))).size === routes.length,
      'must not have a path twice',
    )
    .describe('A path that fits none of them is refused with 404.'),
});

type RoutesFile = z.infer<typeof routesSchema>;

function parseRoutes(content: string, hostsAreSet: boolean): ParsedFile<RoutesFile> {
  const parsed = parseJsonFile(routesSchema, content);
  if (!parsed.ok || hostsAreSet) return parsed;
  const selves = parsed.value.routes.filter(({ allowed_origins = [] }) => allowsSelf(allowed_origins));
  return selves.length === 0
    ? parsed
    : { ok: false, faults: selves.map(({ path }) => `route ${path}: ALLOWED_HOSTS ${SELF_NEEDS_HOSTS}`) };
}

/** Finds every fault of the routes file, and that no upstream is set beside it. */
export const routesRule: Rule = ({ routesFile }, written) => {
  const parsed = routesFile && parseRoutes(routesFile.content, written('ALLOWED_HOSTS'));
  return [
    ...(parsed?.ok === false ? parsed.faults.map((fault) => `ROUTES_FILE: ${fault}`) : []),
    ...(written('ROUTES_FILE') && written('UPSTREAM_URL')
      ? ['UPSTREAM_URL: must not be set together with ROUTES_FILE: name it there, with the path /']
      : []),
  ];
};

/** The current routes: those of ROUTES_FILE, which SIGHUP reloads, or one route for every path. */
export function watchRoutes(settings: Settings, log: Logger): { readonly find: FindRoute; end(): void } {
  const { routesFile } = settings;
  if (routesFile === undefined) {
    const only = defaultRoute(settings);
    return { find: () => only, end: () => {} };
  }
  const parse = (content: string): ParsedFile<Route[]> => {
    const parsed = parseRoutes(content, settings.allowedHosts !== undefined);
    if (!parsed.ok) return parsed;
    const routes = routesOf(parsed.value, settings);
    for (const pair of parted(routes)) log.warn({ event: 'routes_by_letter_case', ...pair, advice: LETTER_CASE });
    return { ok: true, value: routes };
  };
  const file: ReloadedFile<Route[]> = reloadedFile({ setting: 'ROUTES_FILE', file: routesFile, parse, log });
  return { find: (path) => findRoute(file.current(), path), end: () => file.end() };
}

const LETTER_CASE =
  'a back end that ignores letter case serves the paths of one of them by the rules of the other: give it the same rules, or a back end of its own';

/**
 * Pairs of routes by whose rules one back end may serve the same path. A gateway compares letter case; whether the back
 * end does cannot be known. So `/ADMIN` fits the route `/`, and may be served as `/admin`.
 */
function parted(routes: readonly Route[]): Array<{ readonly path: string; readonly other: string }> {
  const lower = ({ decodedPrefix }: Route): string => decodedPrefix.toLowerCase();
  return routes.flatMap((route, index) =>
    routes
      .slice(index + 1)
      .filter((other) => isUnder(lower(other), lower(route)) && hostOf(route) === hostOf(other))
      .filter((other) => rulesOf(route) !== rulesOf(other))
      .map((other) => ({ path: route.prefix, other: other.prefix })),
  );
}

const hostOf = ({ upstream }: Route): string | undefined => upstream?.url.host;

/** The rules of a route as text, for a comparison. */
function rulesOf({ prefix: _, decodedPrefix: __, upstream, ...rules }: Route): string {
  return JSON.stringify([upstream?.host, upstream?.url.pathname, rules]);
}

function findRoute(routes: readonly Route[], path: string): ReturnType<FindRoute> {
  const route = routes.find(({ prefix }) => isUnder(prefix, path));
  const decoded = decodedPath(path);
  return routes.find(({ decodedPrefix }) => isUnder(decodedPrefix, decoded)) === route ? route : 'unclear';
}

/** The defaults of every route by the settings. Without a routes file it is the only route. */
function defaultRoute(settings: Settings): Route {
  const { upstreamUrl: address } = settings;
  return {
    prefix: '/',
    decodedPrefix: '/',
    upstream: address === undefined ? undefined : upstreamAt(address, settings),
    audience: settings.gatewayAudience,
    allowedOrigins: settings.allowedOrigins,
    maxMessageBytes: settings.maxMessageBytes,
    maxConnectionsPerSubject: settings.maxConnectionsPerSubject,
    maxConnections: 0,
    idleSeconds: settings.upstreamIdleSeconds,
  };
}

function upstreamAt(address: string, settings: Settings, own: Partial<Upstream> = {}): Upstream {
  return {
    url: new URL(address),
    host: own.host,
    ca: settings.upstreamCaFile?.content,
    connectTimeoutMs: own.connectTimeoutMs ?? settings.upstreamConnectTimeoutMs,
    handshakeTimeoutMs: own.handshakeTimeoutMs ?? settings.upstreamHandshakeTimeoutMs,
  };
}

/** The routes of a file, the longest prefix first. */
function routesOf({ routes }: RoutesFile, settings: Settings): Route[] {
  const common = defaultRoute(settings);
  return routes
    .map((row) => ({
      prefix: row.path,
      decodedPrefix: decodedPath(row.path),
      upstream: upstreamAt(row.upstream, settings, {
        host: row.host === PRESERVE ? undefined : row.host,
        ...(row.connect_timeout_ms !== undefined && { connectTimeoutMs: row.connect_timeout_ms }),
        ...(row.handshake_timeout_ms !== undefined && { handshakeTimeoutMs: row.handshake_timeout_ms }),
      }),
      audience: row.audience ?? common.audience,
      allowedOrigins: row.allowed_origins ?? common.allowedOrigins,
      maxMessageBytes: row.max_message_bytes ?? common.maxMessageBytes,
      maxConnectionsPerSubject: row.max_connections_per_subject ?? common.maxConnectionsPerSubject,
      maxConnections: row.max_connections ?? 0,
      idleSeconds: row.idle_seconds ?? common.idleSeconds,
    }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
}

function isUnder(prefix: string, path: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}
