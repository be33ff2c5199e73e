import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headersWithoutTicket, takeTicket, ticketsIn } from '../../../../services/gateway/admission/carriers.ts';
import { cpuMs } from '../../../support/machine/measure.ts';

const ID = 'AbCdEfGhIjKlMnOpQrStUv';
const SECRET = 'abcdefghijklmnopqrstuvwxyz_-0123';
const VALUE = `ogt_${ID}.${SECRET}`;
const TICKET = { kind: 'ticket', ticket: { id: ID, secret: SECRET } };
const ALL = ['query', 'subprotocol', 'authorization'] as const;
const NOTHING = { query: '', protocols: [], authorization: undefined };

describe('a ticket', () => {
  test.each([
    ['the query', { query: `ticket=${VALUE}` }],
    ['the query between others', { query: `a=1&ticket=${VALUE}&b=2` }],
    ['the query under an encoded name', { query: `%74%69cket=${VALUE}` }],
    ['a subprotocol', { protocols: [`oncegate.ticket.${VALUE}`] }],
    ['a subprotocol among others', { protocols: ['chat', `oncegate.ticket.${VALUE}`, 'oncegate.v1'] }],
    ['Authorization', { authorization: `Ticket ${VALUE}` }],
    ['Authorization in other letters and with blanks', { authorization: `tICKET   ${VALUE}  ` }],
  ])('is found in %s', (_name, carriers) => {
    expect(takeTicket({ ...NOTHING, ...carriers }, ALL)?.presented).toEqual(TICKET);
  });

  test('is taken out of the query, and the rest stays as it was', () => {
    const taken = takeTicket({ ...NOTHING, query: `a=%20&&ticket=${VALUE}&b=x=y&tickets=1&c` }, ALL);

    expect(taken?.query).toBe('a=%20&&b=x=y&tickets=1&c');
  });

  test('is taken out of the subprotocols, and the rest stays in its order', () => {
    const taken = takeTicket({ ...NOTHING, protocols: ['b', `oncegate.ticket.${VALUE}`, 'a'] }, ALL);

    expect(taken?.protocols).toEqual(['b', 'a']);
  });

  test.each([
    ['query', { query: `ticket=${VALUE}` }],
    ['subprotocol', { protocols: [`oncegate.ticket.${VALUE}`] }],
    ['authorization', { authorization: `Ticket ${VALUE}` }],
  ] as const)(
    'in the %s does not count, and is taken out all the same, where that is not accepted',
    (carrier, carriers) => {
      const accepted = ALL.filter((other) => other !== carrier);

      expect(takeTicket({ ...NOTHING, ...carriers }, accepted)).toEqual({
        presented: { kind: 'missing' },
        query: '',
        protocols: [],
      });
      expect(takeTicket({ ...NOTHING, ...carriers }, [carrier])?.presented).toEqual(TICKET);
    },
  );

  test.each([
    ['an empty parameter', { query: 'ticket=' }],
    ['a bare parameter', { query: 'ticket' }],
    ['a percent-encoded value', { query: `ticket=${VALUE.replace('.', '%2E')}` }],
    ['an empty subprotocol', { protocols: ['oncegate.ticket.'] }],
    ['a character too few', { query: `ticket=${VALUE.slice(0, -1)}` }],
    ['a character too many', { query: `ticket=${VALUE}A` }],
    ['another prefix', { query: `ticket=OGT_${ID}.${SECRET}` }],
    ['an empty Authorization: Ticket', { authorization: 'Ticket' }],
    ['two in one Authorization', { authorization: `Ticket ${VALUE}, ${VALUE}` }],
    ['parameters in Authorization', { authorization: `Ticket value="${VALUE}"` }],
  ])('is malformed: %s', (_name, carriers) => {
    expect(takeTicket({ ...NOTHING, ...carriers }, ALL)?.presented).toEqual({ kind: 'malformed' });
  });

  test.each([
    ['nothing at all', {}],
    ['another parameter', { query: `Ticket=${VALUE}&xticket=${VALUE}&ticket2=${VALUE}` }],
    ['another scheme', { authorization: `Bearer ${VALUE}` }],
    ['a scheme that only begins so', { authorization: `Tickets ${VALUE}` }],
    ['another subprotocol', { protocols: [`oncegate.tickets.${VALUE}`] }],
  ])('is missing: %s', (_name, carriers) => {
    expect(takeTicket({ ...NOTHING, ...carriers }, ALL)?.presented).toEqual({ kind: 'missing' });
  });

  test.each([
    ['the same carrier', { query: `ticket=${VALUE}&ticket=${VALUE}` }],
    ['the same carrier, one of them empty', { query: `ticket=${VALUE}&ticket` }],
    ['two subprotocols', { protocols: [`oncegate.ticket.${VALUE}`, 'oncegate.ticket.'] }],
    ['query and subprotocol', { query: `ticket=${VALUE}`, protocols: [`oncegate.ticket.${VALUE}`] }],
    ['query and Authorization', { query: `ticket=${VALUE}`, authorization: 'ticket' }],
    ['subprotocol and Authorization', { protocols: ['oncegate.ticket.x'], authorization: `Ticket ${VALUE}` }],
  ])('is refused where there are two, whichever are accepted: %s', (_name, carriers) => {
    expect(takeTicket({ ...NOTHING, ...carriers }, ALL)).toBeNull();
    expect(takeTicket({ ...NOTHING, ...carriers }, ['authorization'])).toBeNull();
  });

  const piece = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      ...['ticket', '%74icket', 't%69cket', '%', '%E0%A4', '=', '&', '+', VALUE, `ticket=${VALUE}`, '%26ticket='],
    ),
  );
  const query = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  const protocols = fc.array(
    fc.oneof(fc.string(), fc.constantFrom('chat', 'oncegate.v1', `oncegate.ticket.${VALUE}`, 'oncegate.ticket.')),
    { maxLength: 4 },
  );
  const authorization = fc.option(
    fc.oneof(
      fc.string(),
      piece.map((text) => `Ticket ${text}`),
    ),
    { nil: undefined },
  );
  const accepted = fc.subarray([...ALL]);

  test('never survives in what is left, whatever was sent', () => {
    fc.assert(
      fc.property(fc.record({ query, protocols, authorization }), accepted, (carriers, carriersAccepted) => {
        const taken = takeTicket(carriers, carriersAccepted);
        if (taken === null) return;
        expect(new URLSearchParams(taken.query).has('ticket')).toBe(false);
        expect(taken.protocols.filter((protocol) => protocol.startsWith('oncegate.ticket.'))).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('does not survive behind a second question mark', () => {
    expect(takeTicket({ ...NOTHING, query: `?ticket=${VALUE}` }, ALL)).toEqual({
      presented: TICKET,
      query: '',
      protocols: [],
    });
  });

  test('takes nothing else with it', () => {
    const other = fc.stringMatching(/^[a-z0-9%=]*$/).filter((text) => !new URLSearchParams(text).has('ticket'));
    fc.assert(
      fc.property(fc.array(other, { minLength: 1 }), fc.nat(), (others, position) => {
        const before = others.join('&');
        const parameters = before.split('&');
        parameters.splice(position % (parameters.length + 1), 0, `ticket=${VALUE}`);
        expect(takeTicket({ ...NOTHING, query: parameters.join('&') }, ALL)).toEqual({
          presented: TICKET,
          query: before,
          protocols: [],
        });
      }),
    );
  });
});

describe('the tickets in a request that is refused', () => {
  const [first, second, third, fourth] = ['1', '2', '3', '4'].map((end) => ID.slice(0, -1) + end);
  const value = (id: string | undefined): string => `ogt_${id}.${SECRET}`;
  const idsIn = (carriers: object, authorizations: string[] = []): string[] =>
    ticketsIn({ ...NOTHING, ...carriers }, authorizations).map(({ id }) => id);

  test('are those of all carriers, each once', () => {
    const carriers = {
      query: `ticket=${value(first)}&ticket=${value(first)}`,
      protocols: [`oncegate.ticket.${value(second)}`, `oncegate.ticket.${value(first)}`],
    };

    expect(idsIn(carriers, [`Ticket ${value(third)}`])).toEqual([first, second, third]);
  });

  test.each([
    ['two headers', [`Ticket ${value(first)}`, `tICKET  ${value(second)} `], [first, second]],
    ['a header beside one of another scheme', ['Basic YTpi', `Ticket ${value(first)}`], [first]],
    ['one header that was made of two', [`Ticket ${value(first)}, Ticket ${value(second)}`], [first, second]],
    ['one header behind credentials of another scheme', [`Basic YTpi, Ticket ${value(first)}`], [first]],
    ['no header of another scheme', [`Bearer ${value(first)}`, `XTicket ${value(second)}`], []],
  ])('are found in Authorization: %s', (_name, authorizations, ids) => {
    expect(idsIn({}, authorizations)).toEqual(ids);
  });

  test('are looked for in no more time than a header is long', () => {
    const cost = (size: number) => {
      const headers = [`${' '.repeat(size)}x`, `${', '.repeat(size / 2)}x`, `Ticket${' '.repeat(size)},`];
      return cpuMs(() => expect(idsIn({}, headers)).toEqual([]), 20);
    };
    cost(131_072); // what is run for the first time is slow

    // Four times as long: four times the work, where a look at every pair would be sixteen.
    expect(cost(524_288)).toBeLessThan(10 * cost(131_072));
  });

  test('do not end with what is none', () => {
    expect(idsIn({ query: `ticket=42&ticket=&ticket=${value(first)}` })).toEqual([first]);
  });

  test('are no more than there are carriers', () => {
    const query = [first, second, third, fourth].map((id) => `ticket=${value(id)}`).join('&');

    expect(idsIn({ query })).toEqual([first, second, third]);
  });
});

describe('the headers of a request without its ticket', () => {
  const own = [
    ['Host', 'gateway.example'],
    ['X-Trace', `Ticket ${VALUE}`],
  ] as const;
  const left = (...headers: ReadonlyArray<readonly [string, string]>) =>
    headersWithoutTicket([...own, ...headers].flat()).slice(own.length);

  test('are all others, in their order and as they were written', () => {
    expect(headersWithoutTicket(own.flat())).toEqual(own);
  });

  test.each(['Ticket ogt_x.y', 'ticket ogt_x.y', 'TICKET', `Ticket   ${VALUE} `])(
    'have no Authorization: %s',
    (value) => {
      expect(left(['aUTHORIZATION', value])).toEqual([]);
    },
  );

  test.each(['Bearer token', 'Basic YTpi', 'Tickets x', ''])('have an Authorization: %s', (value) => {
    expect(left(['Authorization', value])).toEqual([['Authorization', value]]);
  });

  test.each([
    [`oncegate.ticket.${VALUE}`, []],
    ['oncegate.ticket.', []],
    [`chat, oncegate.ticket.${VALUE},oncegate.v1`, [['sec-websocket-PROTOCOL', 'chat, oncegate.v1']]],
    ['chat,oncegate.v1', [['sec-websocket-PROTOCOL', 'chat,oncegate.v1']]],
  ])('have of the subprotocols %s the others', (value, kept) => {
    expect(left(['sec-websocket-PROTOCOL', value])).toEqual(kept);
  });
});
