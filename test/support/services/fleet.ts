import { createKeys } from '../../../shared/store/keys.ts';
import type { RecordHash } from '../../../shared/store/record.ts';
import type { SharedRedis } from '../redis/redis.ts';
import { type Fleet, metric, type ServiceProcess } from './services.ts';

const keys = createKeys('oncegate:');

/** The record of a ticket in Redis; without fields if there is none. */
export function recordInRedis(redis: SharedRedis, id: string): Promise<RecordHash> {
  return redis.client.hgetall(keys.ticket(id));
}

/** The sum of one series over several services. */
export async function metricSum(services: readonly ServiceProcess[], series: string): Promise<number> {
  const values = await Promise.all(services.map((service) => metric(service, series)));
  return values.reduce((sum, value) => sum + value, 0);
}

/** The number of handshakes of a fleet by outcome, without outcomes that did not occur. */
export async function handshakesByOutcome(services: readonly ServiceProcess[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const service of services) {
    const text = await (await fetch(`http://127.0.0.1:${service.adminPort}/metrics`)).text();
    for (const [, outcome = '', count] of text.matchAll(/^oncegate_handshakes_total\{outcome="(\w+)"\} (\d+)$/gm)) {
      if (count !== '0') sums[outcome] = (sums[outcome] ?? 0) + Number(count);
    }
  }
  return sums;
}

/** Output that no process of a fleet may write: `fault` lines, and anything on stderr. */
export function faultsOf({ ticket, gateways }: Fleet): string[] {
  return [ticket, ...gateways].flatMap((service) => faultsOfService(service));
}

/** The lines of a service's output that are not JSON, which only stderr has, and its `fault` lines. */
export function faultsOfService(service: ServiceProcess): string[] {
  const lines = service.output().split('\n');
  return lines.filter((line) => line !== '' && (!line.startsWith('{') || line.includes('"event":"fault"')));
}
