import { describe, expect, test } from 'vitest';
import { createForwardAuthenticator } from '../../../../services/ticket/authenticators/forward.ts';
import { createIntrospectionVerifier } from '../../../../services/ticket/authenticators/tokens/introspection.ts';
import { COUNTERPART_LIMITS } from '../../../../services/ticket/limits/fair-queue.ts';
import { startLoopback } from '../../../support/browsers/loopback.ts';
import { until } from '../../../support/machine/wait.ts';
import { requestWith } from '../../../support/services/requests.ts';

const { running, waiting } = COUNTERPART_LIMITS;
const FROM = { key: '192.0.2.1' };
const OTHER = { key: '192.0.2.2' };

/** A counterpart that answers nothing until it is told to. */
async function slowCounterpart() {
  const pending: Array<() => void> = [];
  let open = false;
  const { url } = await startLoopback((_request, response) => {
    const answer = (): unknown =>
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"active":true,"sub":"ada"}');
    if (open) answer();
    else pending.push(answer);
  });
  return {
    url,
    pending,
    open() {
      open = true;
      for (const answer of pending) answer();
    },
  };
}

const common = { timeoutMs: 60_000, cacheSeconds: 0, subjectPath: 'sub', claimNames: [] };

describe.each([
  [
    'an introspection endpoint',
    (url: string) => {
      const verifier = createIntrospectionVerifier({
        ...common,
        url,
        clientId: 'oncegate',
        clientSecret: 'secret',
        audience: undefined,
      });
      return (name: string, from: typeof FROM) => verifier.verify(name, from);
    },
  ],
  [
    'the application',
    (url: string) => {
      const authenticator = createForwardAuthenticator({ ...common, url });
      return (name: string, from: typeof FROM) =>
        authenticator.authenticate(requestWith({ cookie: `session=${name}` }), from);
    },
  ],
])('%s', (_name, create) => {
  test('is asked so much at once and no more, and no network keeps another one out', async () => {
    const { url, pending, open } = await slowCounterpart();
    const ask = create(url);
    const first = Array.from({ length: waiting }, (_, index) => ask(`token-${index}`, FROM));
    expect(await ask('one more', FROM)).toMatchObject({ kind: 'unavailable', code: 'overloaded' });
    await until(() => pending.length === running);
    const other = ask('other', OTHER);
    open();

    expect(await other).toMatchObject({ kind: 'principal' });
    for (const answer of await Promise.all(first)) expect(answer).toMatchObject({ kind: 'principal' });
  });
});
