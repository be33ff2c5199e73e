import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../paths.mjs';
import { temporaryFolder } from './cleanup.mjs';
import { freePort } from './free-port.mjs';
import { hasCommand, requireDebianPackage } from './install.mjs';
import { startServer } from './server.mjs';

const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';

/** Starts nginx with nchan: it admits a subscriber if the application on `authorizePort` does. */
export async function startNchan(authorizePort) {
  requireDebianPackage('nginx-light', () => hasCommand('nginx'));
  requireDebianPackage('libnginx-mod-nchan', () => existsSync(NCHAN));
  return startNginx(
    (port) => `
load_module ${NCHAN};
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log access.log;
  client_body_temp_path temp-body;
  proxy_temp_path temp-proxy;
  fastcgi_temp_path temp-fastcgi;
  uwsgi_temp_path temp-uwsgi;
  scgi_temp_path temp-scgi;
  upstream application { server 127.0.0.1:${authorizePort}; keepalive 32; }
  server {
    listen 127.0.0.1:${port};
    location / {
      nchan_subscriber websocket;
      nchan_channel_id bench;
      nchan_authorize_request /authorize;
    }
    location = /authorize {
      internal;
      proxy_pass http://application;
      proxy_http_version 1.1;
      proxy_pass_request_body off;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_set_header X-Original-URI $request_uri;
    }
  }
}
`,
  );
}

/** Starts nginx with the project's own configuration for auth_request, in front of one gateway and one back end. */
export async function startAuthRequest({ admitPort, backEndPort }) {
  requireDebianPackage('nginx-light', () => hasCommand('nginx'));
  const shipped = readFileSync(join(root, 'examples/nginx/nginx.conf'), 'utf8');
  return startNginx((port) =>
    [
      ['worker_processes auto;', 'worker_processes 1;'],
      ['listen 8000;', `listen 127.0.0.1:${port};`],
      ['server 127.0.0.1:9081;', `server 127.0.0.1:${admitPort};`],
      ['server 127.0.0.1:3000;', `server 127.0.0.1:${backEndPort};`],
    ].reduce((text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`the configuration for nginx has no line "${from}"`);
      return text.replace(from, to);
    }, shipped),
  );
}

async function startNginx(configuration) {
  const [port, folder] = [await freePort(), temporaryFolder()];
  const file = join(folder.path, 'nginx.conf');
  writeFileSync(file, configuration(port));
  return startServer({ command: 'nginx', args: ['-p', folder.path, '-c', file, '-g', 'daemon off;'], folder, port });
}
