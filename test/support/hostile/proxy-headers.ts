/** Headers in which frameworks believe a proxy. No client may have one passed on to a back end. */
export const BELIEVED = [
  ...['Forwarded', 'X-Forwarded', 'X-Forwarded-User', 'X-Forwarded-Email', 'X-Forwarded-Groups'],
  ...['X-Forwarded-Preferred-Username', 'X-Forwarded-Access-Token', 'X-Forwarded-Prefix', 'X-Forwarded-Port'],
  ...['X-Forwarded-Server', 'X-Forwarded-Scheme', 'X-Forwarded-Ssl', 'X-Forwarded-Uri', 'X-Forwarded-Path'],
  ...['X-Forwarded-Method', 'X-Forwarded-Client-Cert', 'X-Forwarded-By'],
  ...['X-Original-URL', 'X-Original-URI', 'X-Original-Host', 'X-Original-Method', 'X-Rewrite-URL'],
  ...['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Host', 'X-HTTP-Host-Override'],
  ...['True-Client-IP', 'X-Real-IP', 'X-Client-IP', 'CF-Connecting-IP', 'Client-IP', 'X-Cluster-Client-IP'],
  ...['Fastly-Client-IP', 'X-Originating-IP', 'X-Remote-IP', 'X-Remote-Addr', 'X-Azure-ClientIP'],
  ...['Remote-User', 'Remote-Groups', 'X-Remote-User', 'X-Remote-Group', 'X-Auth-Request-User', 'X-WebAuth-User'],
  ...['X-Amzn-Oidc-Identity', 'X-Goog-Authenticated-User-Email', 'X-MS-Client-Principal', 'Cf-Access-Jwt-Assertion'],
  ...['X-SSL-Client-Verify', 'SSL-Client-Cert', 'Client-Cert', 'X-Scheme', 'X-Url-Scheme', 'Front-End-Https'],
  ...['X-Script-Name', 'Proxy', 'X-Accel-Redirect', 'X-Sendfile-Type', 'X-Envoy-Original-Path'],
  ...['X-Middleware-Subrequest'],
] as const;
