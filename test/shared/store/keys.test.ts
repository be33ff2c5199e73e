import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKeys, keyNames, parseMember } from '../../../shared/store/keys.ts';
import { mintTicket } from '../../../shared/ticket/ticket.ts';

const id = '_e5DDUC9V97abcdefghijk';

describe('the key names', () => {
  test('are those of the contract', () => {
    const keys = createKeys('oncegate:');

    expect(keys.ticket(id)).toBe('oncegate:ticket:{_e5DDUC9V97}abcdefghijk');
    expect(keys.connections(id)).toBe('oncegate:connections:{_e5DDUC9V97}');
    expect(keys.pending(id)).toBe('oncegate:pending:{_e5DDUC9V97}');
    expect(keys.gateway('gateway-1')).toBe('oncegate:gateway:gateway-1');
    expect(keys.control('gateway-1')).toBe('oncegate:control:gateway-1');
    expect(keys.rate('name', 'ada')).toBe('oncegate:rate:name:_e5DDUC9V97qwYbNl5ADPQ8G-QmogG585ucXq3x9UCk');
  });

  test('begin with the configured prefix, even an empty one', () => {
    expect(createKeys('').ticket(id)).toBe('ticket:{_e5DDUC9V97}abcdefghijk');
    expect(createKeys('a<digest>:').pending(id)).toBe('a<digest>:pending:{_e5DDUC9V97}');
  });

  test('of the sets of a subject need only its digest', () => {
    const keys = createKeys('oncegate:');

    expect(keys.connections(id.slice(0, 11))).toBe(keys.connections(id));
    expect(keys.pending(id.slice(0, 11))).toBe(keys.pending(id));
  });

  test.each(['ada', 'a:b', ':', 'ada:', '1:x', '\u{1F3AB}', 'a\u2028b'])(
    'are followed by what a member tells: %j',
    (subject) => {
      expect(parseMember(`${id}:1795489203074:${subject}`)).toStrictEqual({ id, issuedAt: 1795489203074, subject });
    },
  );

  test.each([id, `${id}:1`, `${id}:1:`, `${id}::ada`, `${id.slice(1)}:1:ada`, `${id}:-1:ada`])(
    'are followed by members of this form only: %s',
    (text) => {
      expect(parseMember(text)).toBeNull();
    },
  );

  test('contain any id unchanged', () => {
    const keys = createKeys('oncegate:');

    for (const gatewayId of ['$&', '$1', '<gateway id>', 'a:b', '{a}']) {
      expect(keys.gateway(gatewayId)).toBe(`oncegate:gateway:${gatewayId}`);
    }
  });

  test('of one subject have one hash tag, and those of two tickets differ', () => {
    const keys = createKeys('oncegate:');
    const tagOf = (key: string): string | undefined => /\{([^}]*)\}/.exec(key)?.[1];
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 20 }), (subject) => {
        const [one, other] = [mintTicket(subject).id, mintTicket(subject).id];
        const tags = [
          keys.ticket(one),
          keys.ticket(other),
          keys.connections(one),
          keys.pending(other),
          keys.history(one),
        ].map(tagOf);
        expect(new Set(tags).size).toBe(1);
        expect(tags[0]).toHaveLength(11);
        expect(keys.ticket(one)).not.toBe(keys.ticket(other));
      }),
    );
  });

  test('are described in the table, each with its type and lifetime', () => {
    expect(Object.keys(keyNames)).toStrictEqual(Object.keys(createKeys('')));
    for (const row of Object.values(keyNames)) {
      expect(row.name).toMatch(/^[a-z]+:/);
      expect(row.type).not.toBe('');
      expect(row.what).not.toBe('');
      expect(row.lives).not.toBe('');
    }
  });
});
