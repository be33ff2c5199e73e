import { expect, test } from 'vitest';
import { clientCodes } from '../../../client/errors/connect-refused.ts';
import { refusalCodes } from '../../../shared/refusals.ts';
import { neverMet, refusalCases } from './cases.ts';
import { nodeAlone, nodeWithWs } from './runtimes.ts';
import { describeRefusals } from './suite.ts';

describeRefusals('Node with ws', nodeWithWs, false);
// Node 22 and later have one.
if ('WebSocket' in globalThis) describeRefusals("Node's own WebSocket", nodeAlone, false);

test('every code is provoked, or is listed with the reason why it cannot be', () => {
  const provoked = new Set<string>(refusalCases.map(({ code }) => code));
  const known = [...refusalCodes, ...Object.keys(clientCodes)];

  expect([...provoked, ...Object.keys(neverMet)].sort()).toEqual(known.sort());
});
