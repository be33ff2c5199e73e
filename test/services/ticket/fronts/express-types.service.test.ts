import type { Request, Router } from 'express';
import { type EmbeddedTicketRouter, type TicketRouterOptions, ticketRouter } from 'oncegate/express';
import { describe, expect, expectTypeOf, test } from 'vitest';

// tsc checks these types, on the declarations that the package publishes.

type Authenticate = TicketRouterOptions['authenticate'];

describe('oncegate/express', () => {
  test('is exported by the package', () => {
    expect(typeof ticketRouter).toBe('function');
  });

  test('is typed from options to router', () => {
    expectTypeOf(ticketRouter).parameters.toEqualTypeOf<[TicketRouterOptions]>();
    expectTypeOf(ticketRouter).returns.toEqualTypeOf<EmbeddedTicketRouter>();
    expectTypeOf<EmbeddedTicketRouter>().toExtend<Router>();
    expectTypeOf<Authenticate>().parameters.toEqualTypeOf<[Request]>();
    expectTypeOf<EmbeddedTicketRouter['close']>().returns.toEqualTypeOf<Promise<void>>();
  });

  test('takes an authenticate that returns a principal, a promise, or nobody', () => {
    expectTypeOf(() => ({ subject: 'ada' })).toExtend<Authenticate>();
    expectTypeOf(async () => ({ subject: 'ada', expiresAt: 1, claims: { role: 'guest' } })).toExtend<Authenticate>();
    expectTypeOf(() => null).toExtend<Authenticate>();
    expectTypeOf((request: Request) =>
      request.secure ? { subject: request.ip ?? '' } : undefined,
    ).toExtend<Authenticate>();
  });

  test('takes no authenticate of another type', () => {
    const wrong: unknown[] = [
      // @ts-expect-error a subject is a string
      { authenticate: () => ({ subject: 7 }) } satisfies TicketRouterOptions,
      // @ts-expect-error a principal has a subject
      { authenticate: async () => ({ claims: {} }) } satisfies TicketRouterOptions,
      // @ts-expect-error the end of a login is a number
      { authenticate: () => ({ subject: 'ada', expiresAt: new Date() }) } satisfies TicketRouterOptions,
      // @ts-expect-error false identifies nobody
      { authenticate: () => false } satisfies TicketRouterOptions,
      // @ts-expect-error it cannot be left out
      {} satisfies TicketRouterOptions,
      // @ts-expect-error settings are strings, as in the environment
      { authenticate: () => null, settings: { TICKET_TTL_SECONDS: 30 } } satisfies TicketRouterOptions,
    ];

    expect(wrong).toHaveLength(6);
  });
});
