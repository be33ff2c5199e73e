import { expect, test } from 'vitest';
import { createIntrospectionVerifier } from '../../../../../services/ticket/authenticators/tokens/introspection.ts';
import { startLoopback } from '../../../../support/browsers/loopback.ts';

test('of 10,001 tokens the answer about the oldest is forgotten', async () => {
  const endpoint = await startLoopback((_request, response) =>
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"active":true,"sub":"ada"}'),
  );
  const verifier = createIntrospectionVerifier({
    url: endpoint.url,
    clientId: 'oncegate',
    clientSecret: 'secret',
    audience: undefined,
    timeoutMs: 30_000,
    cacheSeconds: 300,
    subjectPath: 'sub',
    claimNames: [],
  });
  const verify = (number: number) => verifier.verify(`token-${number}`, { key: '192.0.2.1' });
  await verify(0);
  for (let first = 1; first <= 10_000; first += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, index) => verify(first + index)));
  }
  expect(endpoint.requests).toHaveLength(10_001);
  await verify(10_000);
  await verify(1_000);
  expect(endpoint.requests).toHaveLength(10_001);

  await verify(0);
  expect(endpoint.requests).toHaveLength(10_002);
});
