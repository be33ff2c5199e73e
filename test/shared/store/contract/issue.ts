import { describe, expect, test } from 'vitest';
import { closeOf, consumeOf, issued, issueOf, mint, opened, WRONG_SECRET } from '../requests.ts';
import type { Harness } from './harness.ts';

export function issueContract(harness: () => Harness): void {
  describe('issue', () => {
    test('stores a ticket with times of its own clock', async () => {
      const store = await harness().createStore();
      const ticket = mint();
      const before = await harness().now();
      const outcome = await store.issue(issueOf(ticket, { ttlMs: 30_000, maxSessionMs: 3_600_000 }));
      const after = await harness().now();

      expect(outcome.code).toBe('issued');
      if (outcome.code !== 'issued') return;
      expect(outcome.issuedAt).toBeGreaterThanOrEqual(before);
      expect(outcome.issuedAt).toBeLessThanOrEqual(after);
      expect(outcome.expiresAt).toBe(outcome.issuedAt + 30_000);
      expect(outcome.sessionExpiresAt).toBe(outcome.issuedAt + 3_600_000);
    });

    test('stores every given field unchanged', async () => {
      const store = await harness().createStore();
      const subject = 'Ädä 𝕏 {}:\u00a0"\\';
      const ticket = mint(subject);
      const fields = {
        audience: 'chat',
        path: '/room/7?x=ü',
        origin: 'https://app.example',
        address: '2001:db8::1',
        claims: '{"list":[],"none":{},"big":12345678901234567890,"text":"𝕏\\u0000"}',
        clientClaims: '{"list":{},"none":[]}',
      };
      const outcome = await store.issue(issueOf(ticket, fields));
      if (outcome.code !== 'issued') throw new Error(outcome.code);

      expect(await store.read(ticket.id)).toStrictEqual({
        id: ticket.id,
        subject,
        state: 'issued',
        ...fields,
        issuedAt: outcome.issuedAt,
        expiresAt: outcome.expiresAt,
        sessionExpiresAt: outcome.sessionExpiresAt,
        attempts: 0,
      });
    });

    test('stores no field that was not given', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store);
      const record = await store.read(ticket.id);

      expect(Object.keys(record ?? {}).sort()).toStrictEqual(
        ['id', 'subject', 'state', 'issuedAt', 'expiresAt', 'sessionExpiresAt', 'attempts'].sort(),
      );
    });

    test('treats an empty field as absent', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, {
        audience: '',
        path: '',
        origin: '',
        address: '',
        claims: '',
        clientClaims: '',
      });
      const outcome = await store.consume(consumeOf(ticket, { path: '/any', origin: 'https://any.example' }));

      expect(outcome).toStrictEqual({
        code: 'admitted',
        subject: 'ada',
        openedAt: expect.any(Number),
        sessionExpiresAt: expect.any(Number),
        replaced: [],
      });
      expect(await store.read(ticket.id)).not.toHaveProperty('path');
    });

    test('refuses an id that is taken, and does not change its record', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { claims: '{"first":true}' });
      const before = await harness().snapshot(store, ticket.id);

      const again = { ...ticket, secretSha256: WRONG_SECRET };
      expect(await store.issue(issueOf(again, { claims: '{}' }))).toStrictEqual({ code: 'id_taken' });
      expect(await harness().snapshot(store, ticket.id)).toStrictEqual(before);
    });

    test('refuses the id of a spent ticket', async () => {
      const store = await harness().createStore();
      const connection = await opened(store);
      await store.close(closeOf(connection));

      expect(await store.issue(issueOf(connection))).toStrictEqual({ code: 'id_taken' });
    });

    test('ends the ticket and the session with the credentials', async () => {
      const store = await harness().createStore();
      const credentialsExpireAt = (await harness().now()) + 10_000;
      const outcome = await store.issue(issueOf(mint(), { ttlMs: 30_000, credentialsExpireAt }));

      expect(outcome).toMatchObject({
        code: 'issued',
        expiresAt: credentialsExpireAt,
        sessionExpiresAt: credentialsExpireAt,
      });
    });

    test('ends only the session with the credentials, if the ticket expires before', async () => {
      const store = await harness().createStore();
      const credentialsExpireAt = (await harness().now()) + 60_000;
      const ticket = mint();
      const outcome = await store.issue(
        issueOf(ticket, { ttlMs: 30_000, maxSessionMs: 3_600_000, credentialsExpireAt }),
      );
      if (outcome.code !== 'issued') throw new Error(outcome.code);

      expect(outcome.expiresAt).toBe(outcome.issuedAt + 30_000);
      expect(outcome.sessionExpiresAt).toBe(credentialsExpireAt);
      expect(await store.consume(consumeOf(ticket))).toMatchObject({ sessionExpiresAt: credentialsExpireAt });
    });

    test('expires the ticket with the longest session', async () => {
      const store = await harness().createStore();
      const outcome = await store.issue(issueOf(mint(), { ttlMs: 30_000, maxSessionMs: 1_000 }));
      if (outcome.code !== 'issued') throw new Error(outcome.code);

      expect(outcome.expiresAt).toBe(outcome.issuedAt + 1_000);
    });

    test('issues no usable ticket for expired credentials', async () => {
      const store = await harness().createStore();
      const credentialsExpireAt = (await harness().now()) - 1_000;
      const ticket = mint();
      await issued(store); // an unspent ticket next to it has to stay

      expect(await store.issue(issueOf(ticket, { credentialsExpireAt }))).toMatchObject({
        code: 'issued',
        expiresAt: credentialsExpireAt,
      });
      expect(await store.consume(consumeOf(ticket))).toStrictEqual({ code: 'ticket_expired', subject: 'ada' });
      expect((await store.list('ada')).records.map((record) => record.state)).toStrictEqual(['issued']);
    });
  });

  describe('the limit of unspent tickets', () => {
    test('refuses one more, and tells when the first of them expires', async () => {
      const store = await harness().createStore();
      await issued(store, { ttlMs: 20_000, maxPending: 2 });
      const ticket = await issued(store, { ttlMs: 10_000, maxPending: 2 });
      const before = await harness().snapshot(store, ticket.id);
      const refused = mint();

      const outcome = await store.issue(issueOf(refused, { maxPending: 2 }));
      expect(outcome).toStrictEqual({ code: 'pending_limit', retryAfterMs: expect.any(Number) });
      if (outcome.code !== 'pending_limit') return;
      expect(outcome.retryAfterMs).toBeGreaterThan(0);
      expect(outcome.retryAfterMs).toBeLessThanOrEqual(10_000);
      expect(await store.read(refused.id)).toBeNull();
      expect(await harness().snapshot(store, ticket.id)).toStrictEqual(before);
    });

    test('counts each subject for itself', async () => {
      const store = await harness().createStore();
      await issued(store, { maxPending: 1 }, 'ada');

      expect(await store.issue(issueOf(mint('eve'), { maxPending: 1 }))).toMatchObject({ code: 'issued' });
    });

    test('has room again when a ticket is admitted', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { maxPending: 1 });
      await store.consume(consumeOf(ticket));

      expect(await store.issue(issueOf(mint(), { maxPending: 1 }))).toMatchObject({ code: 'issued' });
    });

    test('has room again when a ticket is refused', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { path: '/a', maxPending: 1 });
      await store.consume(consumeOf(ticket, { path: '/b' }));

      expect(await store.issue(issueOf(mint(), { maxPending: 1 }))).toMatchObject({ code: 'issued' });
    });

    test('has room again when a ticket is revoked', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { maxPending: 1 });
      await store.revoke({ id: ticket.id });

      expect(await store.issue(issueOf(mint(), { maxPending: 1 }))).toMatchObject({ code: 'issued' });
    });

    test('has room again when a ticket expires', async () => {
      const store = await harness().createStore();
      await issued(store, { ttlMs: 20_000, maxPending: 2 });
      await issued(store, { ttlMs: 20, maxPending: 2 });
      await harness().advance(21);

      expect(await store.issue(issueOf(mint(), { maxPending: 2 }))).toMatchObject({ code: 'issued' });
      expect(await store.issue(issueOf(mint(), { maxPending: 2 }))).toMatchObject({ code: 'pending_limit' });
    });

    test('has room again when a lost record is restored as an open connection', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { maxPending: 1 });
      const at = await harness().now();
      const lease = { ...ticket, attemptId: 'a', gatewayId: 'g', openedAt: at, sessionExpiresAt: at + 1_000 };
      expect(await store.lease(lease)).toStrictEqual({ code: 'restored' });

      expect(await store.issue(issueOf(mint(), { maxPending: 1 }))).toMatchObject({ code: 'issued' });
    });

    test('does not count a noted attempt, or one with a wrong secret, as spending a ticket', async () => {
      const store = await harness().createStore();
      const ticket = await issued(store, { maxPending: 1 });
      await store.note({ ...ticket, gatewayId: 'g', outcome: 'draining' });
      await store.consume(consumeOf(ticket, { secretSha256: WRONG_SECRET }));

      expect(await store.issue(issueOf(mint(), { maxPending: 1 }))).toMatchObject({ code: 'pending_limit' });
    });
  });
}
