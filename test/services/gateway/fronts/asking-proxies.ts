/** What a proxy asks about: the client's request. */
interface Asked {
  readonly target: string;
  /** The client's address. */
  readonly client: string;
  /** More headers of the client. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly isUpgrade?: boolean;
}

/** The request of a proxy to the gateway. */
interface Asking {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What belongs to one hop. */
export const UPGRADE = { Connection: 'Upgrade', Upgrade: 'websocket' };

/** What every client sends with an upgrade and every proxy passes on. */
export const handshakeHeaders = (isUpgrade = true): Record<string, string> => ({
  Host: 'app.example',
  Origin: 'http://app.example',
  ...(isUpgrade && {
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
  }),
});

/**
 * The requests that proxies make for one of a client, each as its documentation has it, or as it was
 * seen on the wire of those that can be run.
 */
export const askingProxies: ReadonlyArray<{ readonly name: string; readonly question: (asked: Asked) => Asking }> = [
  {
    name: 'nginx (auth_request)',
    question: ({ target, client, headers, isUpgrade = true }) => ({
      method: 'GET',
      path: '/admit',
      headers: {
        ...handshakeHeaders(isUpgrade),
        ...headers,
        Connection: 'close',
        Upgrade: isUpgrade ? 'websocket' : 'none',
        'X-Original-URI': target,
        'X-Original-Method': 'GET',
        'X-Forwarded-For': client,
        'X-Forwarded-Host': 'app.example',
        'Oncegate-Deny-With': '403',
      },
    }),
  },
  {
    name: 'nginx (the directives of its documentation alone)',
    question: ({ target, client, headers, isUpgrade }) => ({
      method: 'GET',
      path: '/admit',
      headers: {
        ...handshakeHeaders(isUpgrade),
        ...headers,
        Connection: 'close',
        'X-Original-URI': target,
        'X-Real-IP': client,
      },
    }),
  },
  {
    name: 'Caddy (forward_auth)',
    question: ({ target, client, headers, isUpgrade = true }) => ({
      method: 'GET',
      path: `/admit${target.includes('?') ? target.slice(target.indexOf('?')) : ''}`,
      headers: {
        ...handshakeHeaders(isUpgrade),
        ...headers,
        ...(isUpgrade && UPGRADE),
        'X-Forwarded-Method': 'GET',
        'X-Forwarded-Uri': target,
        'X-Forwarded-For': client,
        'X-Forwarded-Host': 'app.example',
        'X-Forwarded-Proto': 'http',
      },
    }),
  },
  {
    name: 'Traefik (ForwardAuth)',
    question: ({ target, client, headers, isUpgrade }) => ({
      method: 'GET',
      path: '/admit',
      headers: {
        ...handshakeHeaders(isUpgrade),
        ...headers,
        Host: 'gateway.internal:9081',
        'X-Forwarded-Method': 'GET',
        'X-Forwarded-Proto': 'http',
        'X-Forwarded-Host': 'app.example',
        'X-Forwarded-Uri': target,
        'X-Forwarded-For': client,
        'Accept-Encoding': 'gzip',
        'User-Agent': 'Go-http-client/1.1',
      },
    }),
  },
  {
    name: 'Envoy (ext_authz over HTTP)',
    question: ({ target, client, headers, isUpgrade }) => ({
      method: 'GET',
      path: `/admit${target}`,
      headers: {
        ...handshakeHeaders(isUpgrade),
        ...headers,
        'Content-Length': '0',
        'X-Envoy-Internal': 'true',
        // It adds its own address behind that of the client.
        'X-Forwarded-For': `${client}, 127.0.0.1`,
      },
    }),
  },
  {
    name: 'HAProxy (haproxy-auth-request)',
    question: ({ target, client, headers, isUpgrade = true }) => ({
      method: 'HEAD',
      path: '/admit',
      headers: {
        ...handshakeHeaders(isUpgrade),
        ...headers,
        ...(isUpgrade && UPGRADE),
        'X-Original-URI': target,
        'X-Forwarded-For': client,
      },
    }),
  },
];
