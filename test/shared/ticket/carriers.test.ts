import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { waysToPresent } from '../../../services/ticket/issuing/announce.ts';
import { refusals } from '../../../shared/refusals.ts';
import { settingRow } from '../../../shared/settings/table.ts';
import { CARRIERS, type Carrier, carrierRow } from '../../../shared/ticket/carriers.ts';
import { formatTicket } from '../../../shared/ticket/ticket.ts';

const ticket = { id: 'AbCdEfGhIjKlMnOpQrStUv', secret: 'abcdefghijklmnopqrstuvwxyz_-0123' };
const value = formatTicket(ticket);

/** Carriers that an answer to `POST /tickets` does not write out: a client sets the header by itself. */
const NOT_ANNOUNCED: readonly Carrier[] = ['authorization'];

describe.each(CARRIERS)('the carrier %s', (carrier) => {
  const { label, header, separator, write, carries, read } = carrierRow(carrier);

  test('reads the ticket that it has written', () => {
    expect(carries(write(value))).toBe(true);
    expect(read(write(value))).toBe(value);
  });

  test('writes one piece', () => {
    if (header === undefined) expect(write(value)).toMatch(/^[^&#]+$/);
    else if (separator !== undefined) expect(write(value)).not.toContain(separator);
  });

  test.each(CARRIERS.filter((other) => other !== carrier))('takes nothing for its own that %s has written', (other) => {
    expect(carries(carrierRow(other).write(value))).toBe(false);
  });

  test('has a header name in lower case, if it has one', () => {
    expect(header).toBe(header?.toLowerCase());
  });

  test('is accepted unless TICKET_CARRIERS says otherwise', () => {
    expect(settingRow('TICKET_CARRIERS').default?.split(',')).toContain(carrier);
  });

  test('is named where no ticket was presented', () => {
    expect(refusals.ticket_missing.detail).toContain(label);
  });

  const isAnnounced = !NOT_ANNOUNCED.includes(carrier);

  test(`is ${isAnnounced ? '' : 'not '}written out for whoever gets a ticket`, () => {
    const { connect_url, protocols } = waysToPresent(ticket, undefined, { gatewayUrl: 'ws://x', carriers: CARRIERS });

    expect([...protocols, ...String(connect_url).split('?')].includes(write(value))).toBe(isAnnounced);
  });

  test('is in the protocol', () => {
    const protocol = readFileSync(join(import.meta.dirname, '../../../docs/protocol.md'), 'utf8');

    expect(protocol.split('\n').find((line) => line.startsWith(`| ${carrier} |`))).toContain(write('<value>'));
  });
});
