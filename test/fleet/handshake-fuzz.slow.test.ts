import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseHandshake, type UpgradeRequest } from '../../services/gateway/admission/handshake.ts';
import { groupHeaders } from '../../services/gateway/admission/headers.ts';
import { CARRIERS } from '../../shared/ticket/carriers.ts';
import { malformedUpgrade } from '../support/hostile/malformed-upgrades.ts';
import { tried } from '../support/hostile/tried.ts';
import { scaled } from '../support/machine/scale.ts';
import { seedOfRun } from '../support/numbers/random.ts';

const seed = seedOfRun();
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

test(
  'parseHandshake never throws, and takes or refuses whatever it is given',
  (context) => {
    const numRuns = scaled(5_000, 500_000);
    tried(context, numRuns);
    fc.assert(
      fc.property(seeds, (one) => {
        const parsed = parseHandshake(readCarelessly(malformedUpgrade(one).packets), CARRIERS);
        if (parsed.ok) expect(parsed.handshake.path).toMatch(/^\//);
        else expect(['handshake_malformed', 'method_not_allowed', 'upgrade_required']).toContain(parsed.refusal.code);
      }),
      { seed, numRuns },
    );
  },
  scaled(30_000, 1_200_000),
);

/** Reads a request as a parser would that believes everything. */
function readCarelessly(packets: readonly Buffer[]): UpgradeRequest {
  const text = Buffer.concat(packets).toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const [start = '', ...lines] = text.slice(0, end === -1 ? undefined : end).split('\r\n');
  const [method = '', target = '', version = ''] = start.split(' ');
  return {
    method,
    target,
    httpVersion: version.replace('HTTP/', ''),
    headers: groupHeaders(
      lines.flatMap((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1).trim()]),
    ),
    earlyBytes: end === -1 ? 0 : text.length - end - 4,
    pipelined: false,
  };
}
