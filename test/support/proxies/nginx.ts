import type { Fleet } from '../services/services.ts';
import { type ProxyProcess, startProxy } from './proxy-process.ts';

export type Nginx = ProxyProcess;

/** Starts nginx in front of a fleet, with the configuration in deploy/. It is stopped with the test, or the test file. */
export function startNginx(
  { ticket, gateways }: Fleet,
  more: ReadonlyArray<readonly [from: string, to: string]> = [],
): Promise<Nginx> {
  return startProxy({
    command: 'nginx',
    files: ['deploy/nginx.conf'],
    args: (file, dir) => ['-p', dir, '-c', file, '-g', 'daemon off;'],
    replace: (port) => [
      ...more,
      ['listen 8080;', `listen 127.0.0.1:${port};`],
      ['server ticket:8080;', `server 127.0.0.1:${ticket.port};`],
      ...gateways.map((gateway, index) => [`gateway-${index + 1}:8081`, `127.0.0.1:${gateway.port}`] as const),
    ],
  });
}
