/** A kind of headers that only a proxy may send to a back end. Names are canonical: lower case, `-` for every other character. */
interface Family {
  /** What a framework takes from them. */
  readonly tells: string;
  readonly names: RegExp;
}

/**
 * THE table of headers in which frameworks believe a proxy, whoever wrote them. No client can be allowed to send one
 * through a gateway: each would be its own word about itself. The gateway tells a back end the address, the scheme
 * and the host of the client by `X-Forwarded-For`, `-Proto` and `-Host`, and the subject by the identity headers.
 */
export const PROXY_HEADERS: readonly Family[] = [
  { tells: 'how a request reached a proxy', names: /(?:^|-)forwarded(?:-|$)/ },
  { tells: 'the address of the client', names: /(?:^|-)(?:client|peer|socket)?(?:ip(?:v[46])?|addr(?:ess)?)$/ },
  { tells: 'the port or the host of the client', names: /(?:^|-)(?:client|real|remote)-(?:port|host)$/ },
  {
    tells: 'the target, before a proxy changed it',
    names: /(?:^|-)(?:original|rewrite|rewritten|replaced)-|^(?:x-)?(?:script-name|path-info|base-url|request-ur[il])$/,
  },
  { tells: 'another method', names: /^(?:x-)?(?:http-)?method(?:-override)?$/ },
  { tells: 'another host or port', names: /^x-(?:http-)?(?:host(?:-override)?|port|server(?:-name)?)$/ },
  {
    tells: 'the scheme, or the certificate of the client',
    names:
      /^x-(?:url-)?(?:scheme|proto(?:col)?)$|^(?:cf-visitor|front-end-https|x-https|x-arr-ssl)$|^(?:x-)?ssl(?:-|$)|^(?:x-)?(?:tls-)?client-(?:cert|ssl|verify|dn)(?:-|$)/,
  },
  {
    tells: 'who the user is',
    names:
      /^(?:x-)?(?:remote|authenticated|auth-request|webauth|authentik|authelia)-|^(?:cf-access|x-amzn-oidc|x-goog-authenticated-user|x-goog-iap|x-ms-client-principal|x-ms-token|x-pomerium|x-vouch)(?:-|$)/,
  },
  {
    tells: 'something to the server itself',
    names: /^(?:proxy|wl-proxy|x-proxy|x-accel|x-sendfile|x-envoy|x-middleware)(?:-|$)/,
  },
];

/** CGI servers read `_`, `-` and the like as one character: a header is judged in each of those spellings. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replaceAll(/[^0-9a-z]/g, '-');
}

/**
 * Whether frameworks believe a proxy by this header.
 *
 * @param name as {@link canonicalName} writes it
 */
export function isProxyHeader(name: string): boolean {
  return PROXY_HEADERS.some(({ names }) => names.test(name));
}
