import type { IncomingMessage } from 'node:http';
import { type Admittance, type AdmitUpgradeOptions, admitUpgrade, type UpgradeGate } from 'oncegate/gateway';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

// What is said of types here is checked by tsc, on the declarations that the package is published with.

const schema = z.object({ room: z.number(), role: z.enum(['guest', 'host']).default('guest') });
type Claims = { room: number; role: 'guest' | 'host' };

/** Never called: its type is looked at. */
const withSchema = () => admitUpgrade({ claims: schema });

describe('oncegate/gateway', () => {
  test('is found by the name of the package', () => {
    expect(typeof admitUpgrade).toBe('function');
  });

  test('has claims of a type that nobody has checked, without a schema', () => {
    expectTypeOf(admitUpgrade<Readonly<Record<string, unknown>>>).returns.toEqualTypeOf<
      UpgradeGate<Readonly<Record<string, unknown>>>
    >();
    expectTypeOf<Admittance['claims']['room']>().toEqualTypeOf<unknown>();
    expectTypeOf<Admittance['audience']>().toEqualTypeOf<string | undefined>();
  });

  test('has the claims that a schema gives, defaults and transformations included', () => {
    expectTypeOf(withSchema).returns.toEqualTypeOf<UpgradeGate<Claims>>();
    expectTypeOf(withSchema).returns.returns.resolves.toEqualTypeOf<Admittance<Claims> | null>();
    const transformed = () => admitUpgrade({ claims: schema.transform(({ room }) => `room ${room}`) });
    expectTypeOf(transformed).returns.returns.resolves.exclude<null>().toHaveProperty('claims').toEqualTypeOf<string>();
  });

  test('has the client claims that a schema of their own gives', () => {
    const both = () => admitUpgrade({ claims: schema, clientClaims: z.object({ theme: z.string() }) });
    expectTypeOf(both).returns.toEqualTypeOf<UpgradeGate<Claims, { theme: string }>>();
    expectTypeOf<Admittance['clientClaims']['room']>().toEqualTypeOf<unknown>();
  });

  test('puts who it is on the request', () => {
    expectTypeOf<IncomingMessage['oncegate']>().toEqualTypeOf<Admittance | undefined>();
  });

  test('takes the arguments of an upgrade listener', () => {
    expectTypeOf<Parameters<UpgradeGate<Claims>>[0]>().toEqualTypeOf<IncomingMessage>();
    expectTypeOf<UpgradeGate<Claims>['close']>().returns.toEqualTypeOf<Promise<void>>();
  });

  test('cannot be asked without await', () => {
    const careless = (...args: Parameters<UpgradeGate<Claims>>) => {
      // @ts-expect-error a promise is always true
      if (admitUpgrade()(...args)) return 'open';
      return 'refused';
    };
    expect(typeof careless).toBe('function'); // never called
  });

  test('takes no other options', () => {
    const wrong: unknown[] = [
      // @ts-expect-error settings are texts, as in the environment
      { settings: { HEARTBEAT_SECONDS: 30 } } satisfies AdmitUpgradeOptions<Claims>,
      // @ts-expect-error a schema is one by Standard Schema
      { claims: (claims: Claims) => claims } satisfies AdmitUpgradeOptions<Claims>,
      // @ts-expect-error and gives the claims that are asked for
      { claims: z.object({ room: z.string() }) } satisfies AdmitUpgradeOptions<Claims>,
    ];

    expect(wrong).toHaveLength(3);
  });
});
