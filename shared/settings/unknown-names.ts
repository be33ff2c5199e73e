import { distanceBetween } from '../nearest.ts';
import { settingNames } from './table.ts';

export interface UnknownName {
  readonly name: string;
  /** The setting that was probably meant. */
  readonly nearest: string | undefined;
}

/** Nobody else's names begin like this. */
const OWN_PREFIX = /^(?:AUTH|TICKET|GATEWAY|REDIS|UPSTREAM|MAX)_/;

/** What Kubernetes and Docker inject about a service of that name, such as REDIS_PORT_6379_TCP_ADDR. */
const INJECTED = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

/** Read by docker-compose.yml, from the same `.env`. */
const OF_COMPOSE = new Set(['REDIS_PASSWORD']);

/** Names that look like settings and are none, sorted. An empty value counts as none. */
export function unknownNames(environment: Readonly<Record<string, string | undefined>>): UnknownName[] {
  const known: ReadonlySet<string> = new Set(settingNames);
  return Object.keys(environment)
    .filter((name) => environment[name] && !known.has(name) && !INJECTED.test(name) && !OF_COMPOSE.has(name))
    .sort()
    .flatMap((name) => {
      const nearest = nearestTo(name);
      return nearest !== undefined || OWN_PREFIX.test(name) ? [{ name, nearest }] : [];
    });
}

function nearestTo(name: string): string | undefined {
  const written = name.toUpperCase().replaceAll(/[-.]/g, '_');
  const ranked = settingNames
    .map((setting) => ({ setting, distance: distanceBetween(written, setting) }))
    .sort((one, other) => one.distance - other.distance);
  return (ranked.find(({ setting, distance }) => distance <= slipsIn(setting, written)) ?? cutOff(written))?.setting;
}

/** A short name is soon like another one, HOST and HOME. With the first word right, more of the rest may be wrong. */
function slipsIn(setting: string, written: string): number {
  const [first = '', ...rest] = setting.split('_');
  const slips = rest.length > 0 && written.startsWith(`${first}_`) ? setting.length / 3 : setting.length / 5;
  return Math.floor(slips);
}

/** A setting of which only the first words were written. */
function cutOff(written: string): { readonly setting: string } | undefined {
  const setting = settingNames.find((candidate) => candidate.startsWith(`${written}_`));
  return setting === undefined || written.length < 5 ? undefined : { setting };
}
