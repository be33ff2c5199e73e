import { beforeAll, describe, expect, test } from 'vitest';
import { type ApiKey, mintApiKey } from '../../../../shared/logins/api-keys.ts';
import type { IssueRequest } from '../../../../shared/store/store.ts';
import { bearer } from '../../../support/logins/bearer.ts';
import { temporaryFile } from '../../../support/machine/temporary-file.ts';
import { type InProcess, runTicketService } from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';
import { openTicket } from './open-ticket.ts';

const key = (name: string, limits: Pick<ApiKey, 'subjects' | 'audiences'>) => mintApiKey(name, limits, new Date());
const keys = {
  'a key for everybody': key('all', { subjects: ['*'] }),
  'a key for the audience chat': key('chat', { subjects: ['*'], audiences: ['chat'] }),
  'a key for another subject': key('bob-only', { subjects: ['bob'] }),
  'a key for nobody else': key('alone', {}),
};
const FILE = temporaryFile(JSON.stringify({ keys: Object.values(keys).map((minted) => minted.key) }));

let service: InProcess;

beforeAll(async () => {
  service = await runTicketService({ AUTH_API_KEYS_FILE: FILE });
});

type Caller = 'the subject' | 'somebody else' | keyof typeof keys;

const credentialsOf = (caller: Caller): Promise<string> | string => {
  if (caller === 'the subject') return bearer('ada');
  return caller === 'somebody else' ? bearer('eve') : `Bearer ${keys[caller].value}`;
};

/** The status of each verb on a ticket of ada for an audience. */
async function verbsOf(caller: Caller, audience: string | undefined, on = service): Promise<number[]> {
  const credentials = await credentialsOf(caller);
  const statuses: number[] = [];
  for (const [method, suffix] of [['GET', ''] as const, ['POST', '/renew'] as const, ['DELETE', ''] as const]) {
    const { id } = await openTicket(on, { subject: 'ada', audience, path: '/room/7' });
    statuses.push((await ask(on, `/tickets/${id}${suffix}`, { method, credentials })).status);
  }
  const body = { subject: 'ada', ...(audience !== undefined && { audience }) };
  statuses.push((await ask(on, '/tickets', { method: 'POST', credentials, body })).status);
  return statuses;
}

describe('who may do what with a ticket of ada', () => {
  test.each<
    readonly [Caller, audience: string | undefined, read: number, renew: number, revoke: number, issue: number]
  >([
    ['the subject', 'chat', 200, 200, 204, 201],
    ['the subject', 'admin', 200, 200, 204, 201],
    ['the subject', undefined, 200, 200, 204, 201],
    ['somebody else', 'chat', 404, 404, 404, 403],
    ['a key for everybody', 'chat', 200, 200, 204, 201],
    ['a key for everybody', 'admin', 200, 200, 204, 201],
    ['a key for everybody', undefined, 200, 200, 204, 201],
    ['a key for the audience chat', 'chat', 200, 200, 204, 201],
    ['a key for the audience chat', 'admin', 404, 404, 404, 403],
    ['a key for another subject', 'chat', 404, 404, 404, 403],
    ['a key for nobody else', 'chat', 404, 404, 404, 403],
  ])('%s, for the audience %s', async (caller, audience, ...statuses) => {
    expect(await verbsOf(caller, audience)).toEqual(statuses);
  });

  test('a key for an audience may not touch a ticket without one', async () => {
    expect((await verbsOf('a key for the audience chat', undefined)).slice(0, 3)).toEqual([404, 404, 404]);
  });

  test('a key lists its own tickets of its audiences only', async () => {
    const caller = 'a key for the audience chat';
    const [own] = [await openTicket(service, { subject: 'chat', audience: 'chat' })];
    await openTicket(service, { subject: 'chat', audience: 'admin' });
    const { body } = await ask(service, '/tickets', { credentials: await credentialsOf(caller) });

    expect(body.tickets).toMatchObject([{ id: own.id }]);
  });
});

describe('a renewal', () => {
  const policyOf = (rule: object): string => temporaryFile(JSON.stringify({ rules: [{ subjects: ['ada'], ...rule }] }));

  test.each<readonly [rule: object, status: number, code: string | undefined]>([
    [{ audiences: ['chat'], paths: ['/room/*'] }, 200, undefined],
    [{ audiences: ['lobby', 'admin'] }, 403, 'audience_refused'],
    [{ paths: ['/lobby'] }, 403, 'path_refused'],
    [{ subjects: ['bob'] }, 403, 'subject_refused'],
  ])('is held to the policy %j of now', async (rule, status, code) => {
    const held = await runTicketService({ AUTH_API_KEYS_FILE: FILE, POLICY_FILE: policyOf(rule) });
    for (const caller of ['the subject', 'a key for everybody'] as const) {
      const { id } = await openTicket(held, { subject: 'ada', audience: 'chat', path: '/room/7' });
      const credentials = await credentialsOf(caller);
      const answer = await ask(held, `/tickets/${id}/renew`, { method: 'POST', credentials });

      expect([answer.status, answer.body.code]).toEqual([status, code]);
      // What ends a connection, and what explains it, is never against a policy.
      expect((await ask(held, `/tickets/${id}`, { credentials })).status).toBe(200);
      expect((await ask(held, `/tickets/${id}`, { method: 'DELETE', credentials })).status).toBe(204);
    }
  });

  /** How long the session lasts from now, after a renewal with these credentials. */
  async function lifetimeAfter(on: InProcess, fields: Partial<IssueRequest>, ...renewals: string[]): Promise<number> {
    const { id } = await openTicket(on, { subject: 'ada', ...fields });
    let end = 0;
    for (const credentials of renewals) {
      const { body } = await ask(on, `/tickets/${id}/renew`, { method: 'POST', credentials });
      end = Date.parse(String(body.session_expires_at));
    }
    return Math.round((end - Date.now()) / 60_000);
  }

  const byKey = `Bearer ${keys['a key for everybody'].value}`;
  const inMinutes = (minutes: number) => ({ credentialsExpireAt: Date.now() + minutes * 60_000 });

  test('by a key never goes past the credentials that the subject itself presented last', async () => {
    expect(await lifetimeAfter(service, inMinutes(10), byKey)).toBe(10);
    expect(await lifetimeAfter(service, inMinutes(10), await bearer('ada', '30m'), byKey)).toBe(30);
    expect(await lifetimeAfter(service, inMinutes(30), await bearer('ada', '10m'), byKey)).toBe(10);
    expect(await lifetimeAfter(service, {}, byKey)).toBe(720);
  });

  test('never goes past MAX_SESSION_TOTAL_SECONDS, nor does a fresh session', async () => {
    const bounded = await runTicketService({ AUTH_API_KEYS_FILE: FILE, MAX_SESSION_TOTAL_SECONDS: '1200' });
    const issued = await ask(bounded, '/tickets', { method: 'POST', credentials: byKey });
    const record = await bounded.store.read(String(issued.body.id));

    expect(await lifetimeAfter(bounded, {}, await bearer('ada', '60m'))).toBe(20);
    expect(await lifetimeAfter(bounded, {}, byKey, byKey)).toBe(20);
    expect(await lifetimeAfter(bounded, {}, await bearer('ada', '5m'))).toBe(5);
    expect((record?.sessionExpiresAt ?? 0) - (record?.issuedAt ?? 0)).toBe(1_200_000);
  });
});
