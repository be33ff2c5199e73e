import { describe, expect, test } from 'vitest';
import { clientCodes } from '../../client/errors/connect-refused.ts';
import { ConnectionEnded } from '../../client/errors/connection-ended.ts';
import { codeOf, readText, tableRows } from './pages.ts';

const page = readText('docs/client.md');

/** The rows of the tables in a section, by the code in the first cell. */
function rowsBelow(heading: string): Map<string, string[]> {
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const rows = tableRows(section.split(/^## /m)[0] ?? '');
  return new Map(rows.flatMap((cells) => (codeOf(cells[0]) ? [[codeOf(cells[0]), cells] as const] : [])));
}

/** The properties of an interface or a class in a source, each with its docstring. */
function propertiesOf(path: string, declaration: string): Map<string, string> {
  const [, after = ''] = readText(path).split(new RegExp(`^export (?:interface|class) ${declaration}\\b.*\\{$`, 'm'));
  const [body = ''] = after.split(/^\}$/m);
  const found = body.matchAll(/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s+)?^ {2}(?:declare )?readonly (\w+)\??:/gm);
  return new Map([...found].map(([, docstring = '', name = '']) => [name, docstring]));
}

/** The strings in a type that is a union. */
function statesOf(path: string, type: string): string[] {
  const [, union = ''] = new RegExp(`^export type ${type} = (.*);$`, 'm').exec(readText(path)) ?? [];
  return [...union.matchAll(/'(\w+)'/g)].map(([, state = '']) => state);
}

describe('the page of the client', () => {
  const options = new Map([
    ...propertiesOf('client/options.ts', 'ConnectOptions'),
    ...propertiesOf('client/options.ts', 'OncegateSocketOptions'),
  ]);
  const documented = rowsBelow('Options');

  test('has every option of the sources, and no other', () => {
    expect(options.size).toBeGreaterThan(15);
    expect([...documented.keys()]).toEqual([...options.keys()]);
  });

  const defaults = [...options].flatMap(([name, docstring]) => {
    const [, value] = /default:? (`[^`]+`|[\d,]*\d)/i.exec(docstring) ?? [];
    return value === undefined ? [] : [[name, value.replaceAll('`', '').replace('ended.retry', 'retry')] as const];
  });

  test.each(defaults)('says of %s that its default is %s', (name, value) => {
    expect(defaults.length).toBeGreaterThan(5);
    expect(documented.get(name)?.[2]).toContain(value);
  });

  test('has each bound of the backoff, with its default', () => {
    const bounds = [...propertiesOf('client/waiting/backoff.ts', 'Backoff')];
    const inUnderscores = (text: string): string => text.replaceAll(',', '_');
    expect(documented.get('backoff')?.slice(1, 3)).toEqual([
      `\`{ ${bounds.map(([name]) => name).join(', ')} }\``,
      `\`{ ${bounds.map(([name, doc]) => `${name}: ${inUnderscores(/default ([\d,]+)/.exec(doc)?.[1] ?? '')}`).join(', ')} }\``,
    ]);
  });

  test("has every code of the client's own, with its retry, and no other", () => {
    const codes = [...rowsBelow('Why there is no connection')].filter(([, cells]) => cells.length === 4);
    expect(codes.map(([code, cells]) => [code, codeOf(cells[1])])).toEqual(
      Object.entries(clientCodes).map(([code, { retry }]) => [code, retry]),
    );
  });

  test.each([
    ['Why there is no connection', 'client/errors/connect-refused.ts', 'ConnectRefused', ['cause']],
    ['Why a connection ended', 'client/errors/connection-ended.ts', 'ConnectionEnded', []],
  ])('has every property under "%s", and no other', (heading, path, declaration, inherited) => {
    const properties = [...rowsBelow(heading)].filter(([, cells]) => cells.length === 2).map(([name]) => name);
    expect(properties).toEqual([...propertiesOf(path, declaration).keys(), ...inherited]);
  });

  test('has every state, and no other', () => {
    const states = [
      ...statesOf('client/connect/state.ts', 'ConnectorState'),
      ...statesOf('client/socket/events.ts', 'SocketState'),
    ];
    expect([...rowsBelow('A socket that comes back').keys()].sort()).toEqual(states.sort());
  });

  test('names the close codes without a reason after which the client comes back', () => {
    const codes = [...Array(5_000).keys()].filter((code) => new ConnectionEnded(code, '').retry === 'backoff');
    const [, named = ''] = /it is `backoff` after ([\d, and]+), and `never`/.exec(page) ?? [];
    expect(named.match(/\d+/g)?.map(Number)).toEqual(codes);
  });
});
