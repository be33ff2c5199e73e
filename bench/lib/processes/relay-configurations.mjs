/**
 * nginx as Debian's package configures it, except for one worker, files of its own, and enough worker_connections: once
 * 15 of 16 are in use, nginx closes the connections that still wait for their request.
 */
export function nginxRelay({ port, upstreamPort, folder }) {
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 32768; }
http {
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  gzip on;
  access_log ${folder}/access.log;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstreamPort};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header Host $host;
      proxy_read_timeout 1h;
    }
  }
}
`;
}

/** HAProxy with Debian's defaults, except for one thread and a tunnel that may be idle. */
export function haproxyRelay({ port, upstreamPort, connections }) {
  return `global
  nbthread 1
  maxconn ${connections}
defaults
  mode http
  option dontlognull
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  timeout tunnel 1h
frontend public
  bind 127.0.0.1:${port}
  default_backend echo
backend echo
  server echo 127.0.0.1:${upstreamPort}
`;
}
