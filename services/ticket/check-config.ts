import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { exitCodes } from '../../shared/process/exit-codes.ts';
import { createLogger } from '../../shared/process/log.ts';
import { openFilesLimit } from '../../shared/process/open-files.ts';
import { findingsOf, textOf } from '../../shared/settings/checks.ts';
import { loadSettings, readEnvironment, redisIsNeeded } from '../../shared/settings/load.ts';
import { type SettingName, type Settings, settingNames, settingRow } from '../../shared/settings/table.ts';
import { createStore } from '../../shared/store/create-store.ts';
import { introspectionOf, issuerKeysOf, sessionRedisOf, tokenVerifier } from './authenticators/configured.ts';
import { counterpartFetch } from './authenticators/counterpart-fetch.ts';
import { reasonOf } from './authenticators/reason.ts';
import { authenticationIsNeeded, authenticationRules } from './authenticators/rules.ts';
import { checkIntrospection } from './authenticators/tokens/introspection.ts';
import { policyRule } from './issuing/policy-file.ts';

/** Another service that the ticket service asks, named by its setting. `reach` throws if it cannot be reached. */
interface Counterpart {
  readonly name: string;
  readonly reach: () => Promise<void>;
}

const environment = readEnvironment();
const { token, strict } = parseArgs({
  options: { token: { type: 'string' }, strict: { type: 'boolean', default: false } },
}).values;
printEffective();
const loaded = loadSettings(environment, [redisIsNeeded, authenticationIsNeeded, ...authenticationRules, policyRule]);
if (loaded.ok) {
  if (printFindings(loaded.settings) && strict) process.exit(exitCodes.config);
  const reached = await tryAll(counterpartsOf(loaded.settings));
  const accepted = token === undefined || (await tryToken(loaded.settings, token));
  process.exit(accepted ? (reached ? exitCodes.ok : exitCodes.unavailable) : exitCodes.fault);
} else {
  for (const fault of loaded.faults) process.stdout.write(`wrong    ${fault}\n`);
  process.exit(exitCodes.config);
}

function printEffective(): void {
  for (const name of settingNames) {
    const row = settingRow(name);
    const written = environment[name];
    // A URL may contain a password, in any setting.
    const hidden = row.secret || written?.includes('@');
    const shown = written ? (hidden ? '(set, not shown)' : written) : (row.default ?? row.defaultNote ?? 'none');
    process.stdout.write(`${written ? 'set     ' : 'default '} ${name}=${shown}\n`);
  }
  process.stdout.write('\n');
}

/** @returns whether there are any */
function printFindings(settings: Settings): boolean {
  const surroundings = { environment, now: Date.now(), openFiles: openFilesLimit() };
  const findings = findingsOf(settings, surroundings, strict);
  for (const finding of findings) process.stdout.write(`warning  ${finding.setting}: ${textOf(finding)}\n`);
  return findings.length > 0;
}

function counterpartsOf(settings: Settings): Counterpart[] {
  const counterparts: Counterpart[] = [];
  const log = createLogger('silent', {});
  const store = createStore(settings, log);
  counterparts.push({
    name: redisSetting(settings),
    reach: () => untilAnswered(() => store.list('oncegate-check'), settings.authTimeoutMs),
  });
  const keys = issuerKeysOf(settings);
  if (keys !== undefined) {
    const name = settings.authOidcIssuer === undefined ? 'AUTH_JWKS_URL' : 'AUTH_OIDC_ISSUER';
    counterparts.push({ name, reach: () => keys.check() });
  }
  const introspection = introspectionOf(settings);
  if (introspection !== undefined) {
    counterparts.push({ name: 'AUTH_INTROSPECTION_URL', reach: () => checkIntrospection(introspection) });
  }
  const sessions = sessionRedisOf(settings);
  if (sessions !== undefined) {
    const ping = () => sessions.run((client) => client.ping());
    counterparts.push({ name: 'AUTH_SESSION_REDIS_URL', reach: () => untilAnswered(ping, settings.authTimeoutMs) });
  }
  const { authForwardUrl } = settings;
  if (authForwardUrl !== undefined) {
    counterparts.push({ name: 'AUTH_FORWARD_URL', reach: () => checkForward(authForwardUrl, settings.authTimeoutMs) });
  }
  return counterparts;
}

function redisSetting({ redisSentinels, redisClusterNodes }: Settings): SettingName {
  if (redisClusterNodes !== undefined) return 'REDIS_CLUSTER_NODES';
  return redisSentinels === undefined ? 'REDIS_URL' : 'REDIS_SENTINELS';
}

async function tryAll(counterparts: readonly Counterpart[]): Promise<boolean> {
  let good = true;
  for (const { name, reach } of counterparts) {
    try {
      await reach();
      process.stdout.write(`reached  ${name}\n`);
    } catch (error) {
      good = false;
      process.stdout.write(`failed   ${name}: ${reasonOf(error)}\n`);
    }
  }
  process.stdout.write(good ? 'The configuration is good.\n' : 'Some counterparts cannot be reached.\n');
  return good;
}

/** Says what the ticket service would make of a Bearer token in a file. The token itself is not printed. */
async function tryToken(settings: Settings, path: string): Promise<boolean> {
  const content = readFileSync(path, 'utf8').trim();
  const log = createLogger('silent', {});
  const verifier = tokenVerifier({ settings, log, store: createStore(settings, log) });
  const found = await verifier?.verify(content.replace(/^Bearer +/i, ''), { key: '' });
  if (found?.kind === 'principal') {
    const { subject, expiresAt } = found.principal;
    const until = expiresAt === undefined ? 'without an end' : `until ${new Date(expiresAt).toISOString()}`;
    process.stdout.write(`accepted the token, for ${JSON.stringify(subject)}, ${until}\n`);
    return true;
  }
  process.stdout.write(`refused  the token: ${found?.reason ?? 'no setting is for Bearer tokens'}\n`);
  return false;
}

/** Asks until there is an answer: a link to Redis connects by itself. After the time-out it throws the last error. */
async function untilAnswered(ask: () => Promise<unknown>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await wait(20);
    }
  }
}

/** Without credentials the application must answer 401, not redirect to a login page. */
async function checkForward(url: string, timeoutMs: number): Promise<void> {
  const response = await counterpartFetch(url, { redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
  if (response.status !== 401) {
    throw new Error(`answered ${response.status} to a request without credentials; it has to answer 401`);
  }
}
