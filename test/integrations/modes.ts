import { isMissing } from '../support/machine/programs.ts';
import { type ProxyProcess, startProxy } from '../support/proxies/proxy-process.ts';

/** What is behind a proxy. */
export interface Behind {
  readonly ticket: number;
  readonly gateway: number;
  readonly admin: number;
  readonly backEnd: number;
}

/** A proxy with one of the configurations that the project ships. */
export interface Mode {
  readonly name: string;
  readonly proxy: 'nginx' | 'caddy' | 'haproxy';
  /** Whether the proxy asks the gateway and connects to the back end itself, or the gateway relays. */
  readonly forwardAuth: boolean;
  /** @param instead replacements in the configuration, in place of those that name the same text */
  start(behind: Behind, instead?: Replacements): Promise<ProxyProcess>;
}

/** Texts of a configuration and what replaces them, given the port to listen on. */
export type Replacements = (port: number) => ReadonlyArray<readonly [from: string, to: string]>;

type Files = Parameters<typeof startProxy>[0]['files'];

const commands = {
  nginx: (file: string, dir: string) => ['-p', dir, '-c', file, '-g', 'daemon off;'],
  caddy: (file: string) => ['run', '--config', file, '--adapter', 'caddyfile'],
  haproxy: (file: string) => ['-db', '-f', file],
};

const local = (port: number): string => `127.0.0.1:${port}`;

function mode(
  proxy: Mode['proxy'],
  forwardAuth: boolean,
  files: Files,
  addresses: (port: number, behind: Behind) => ReadonlyArray<readonly [string, string]>,
): Mode {
  return {
    name: `${proxy}, ${forwardAuth ? 'forward-auth' : 'relay'}`,
    proxy,
    forwardAuth,
    start: (behind, instead = () => []) =>
      startProxy({
        command: proxy,
        files,
        args: commands[proxy],
        replace: (port) => [...new Map([...addresses(port, behind), ...instead(port)])],
      }),
  };
}

export const modes: readonly Mode[] = [
  mode('nginx', false, ['deploy/nginx.conf'], (port, { ticket, gateway }) => [
    ['listen 8080;', `listen ${local(port)};`],
    ['ticket:8080', local(ticket)],
    ['gateway-1:8081', local(gateway)],
    ['gateway-2:8081', `${local(gateway)} down`],
    ['gateway-3:8081', `${local(gateway)} down`],
  ]),
  mode('nginx', true, ['examples/nginx/nginx.conf'], (port, { ticket, admin, backEnd }) => [
    ['listen 8000;', `listen ${local(port)};`],
    ['127.0.0.1:8080', local(ticket)],
    ['127.0.0.1:9081', local(admin)],
    ['127.0.0.1:3000', local(backEnd)],
  ]),
  mode('caddy', false, ['examples/caddy/relay.Caddyfile'], (port, { ticket, gateway }) => [
    ['\n:8000 {', `\n:${port} {`],
    ['127.0.0.1:8080', local(ticket)],
    ['127.0.0.1:8081', local(gateway)],
  ]),
  mode('caddy', true, ['examples/caddy/Caddyfile'], (port, { ticket, admin, backEnd }) => [
    ['\n:8000 {', `\n:${port} {`],
    ['127.0.0.1:8080', local(ticket)],
    ['127.0.0.1:9081', local(admin)],
    ['127.0.0.1:3000', local(backEnd)],
  ]),
  mode('haproxy', false, ['examples/haproxy/relay.cfg'], (port, { ticket, gateway }) => [
    ['bind :8000', `bind ${local(port)}`],
    ['127.0.0.1:8080', local(ticket)],
    ['127.0.0.1:8081', local(gateway)],
  ]),
  mode(
    'haproxy',
    true,
    ['examples/haproxy/haproxy.cfg', 'examples/haproxy/oncegate.lua'],
    (port, { ticket, admin, backEnd }) => [
      ['bind :8000', `bind ${local(port)}`],
      ['127.0.0.1:8080', local(ticket)],
      ['127.0.0.1 9081', `127.0.0.1 ${admin}`],
      ['127.0.0.1:3000', local(backEnd)],
    ],
  ),
];

/** The modes whose programs are installed here. */
export const modesHere: readonly Mode[] = isMissing('redis') ? [] : modes.filter(({ proxy }) => !isMissing(proxy));
