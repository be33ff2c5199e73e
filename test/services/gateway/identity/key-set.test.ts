import { generateKeyPairSync } from 'node:crypto';
import { createRemoteJWKSet, type JWTVerifyOptions, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { storeTicket } from '../../../support/services/in-process.ts';
import { openWebSocket } from '../../../support/sockets/web-socket.ts';
import { startBackEnd } from '../../../support/sockets/ws-back-end.ts';
import { setRelay } from '../upstream/stage.ts';

/** Where docs/relay.md sends back ends. */
const PATH = '/.well-known/jwks.json';

const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** A back end that was connected to, with what it was told and where it may ask for the keys. */
async function connected() {
  const backEnd = await startBackEnd();
  const { gateway } = await setRelay(backEnd.port, { IDENTITY_JWT_KEY_FILE: temporaryFile(pem) });
  const fields = { subject: 'josé', audience: 'chat', claims: '{"role":"editor"}' };
  const { id, value } = await storeTicket(gateway.store, fields);
  await openWebSocket(`ws://127.0.0.1:${gateway.port}/?ticket=${value}`);
  const identity = String(backEnd.requests[0]?.headers['oncegate-identity']);
  return { gateway, id, identity };
}

describe.each([
  ['public', 'port', 426],
  ['admin', 'adminPort', 404],
] as const)('a back end that asks the %s port of the gateway for the keys', (_, port, otherwise) => {
  test('verifies with them who was let through to it', async () => {
    const { gateway, id, identity } = await connected();
    const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${gateway[port]}${PATH}`));
    const expected: JWTVerifyOptions = { issuer: 'oncegate', typ: 'oncegate-identity+jwt', audience: 'chat' };
    const { payload } = await jwtVerify(identity, keys, expected);

    expect(payload).toMatchObject({ sub: 'josé', jti: id, aud: 'chat', claims: { role: 'editor' } });
    const later = (seconds: number) => new Date((Number(payload.iat) + seconds) * 1000);
    await jwtVerify(identity, keys, { ...expected, currentDate: later(29) });
    await expect(jwtVerify(identity, keys, { ...expected, currentDate: later(31) })).rejects.toMatchObject({
      code: 'ERR_JWT_EXPIRED',
    });
    await expect(jwtVerify(identity, keys, { ...expected, audience: 'news' })).rejects.toMatchObject({ claim: 'aud' });
    await expect(jwtVerify(identity, keys, { ...expected, issuer: 'another' })).rejects.toMatchObject({ claim: 'iss' });
    await expect(jwtVerify(identity.replace(/.{4}$/, 'AAAA'), keys, expected)).rejects.toMatchObject({
      code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    });
  });

  test('is given public keys alone', async () => {
    const { gateway } = await connected();
    const response = await fetch(`http://127.0.0.1:${gateway[port]}${PATH}`);

    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String), alg: 'EdDSA', use: 'sig', kid: expect.any(String) }],
    });
  });

  test('is given none where identities are not signed', async () => {
    const { gateway } = await setRelay((await startBackEnd()).port);
    const response = await fetch(`http://127.0.0.1:${gateway[port]}${PATH}`);

    expect(response.status).toBe(otherwise);
  });
});
