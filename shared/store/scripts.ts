import { readFileSync } from 'node:fs';
import { closeCodes, closeReasons } from '../close-codes.ts';
import { refusalCodes, refusals } from '../refusals.ts';
import { listedFields } from './record.ts';

/** The Lua scripts. Each is one atomic operation, and the header of its file is its contract. */
export const scriptNames = [
  'issue',
  'consume',
  'note',
  'refuse',
  'close',
  'revoke',
  'renew',
  'lease',
  'read',
  'list',
  'count',
  'forget',
] as const;

export type ScriptName = (typeof scriptNames)[number];

function luaTable(name: string, rows: Iterable<readonly [string, number]>): string {
  const fields = Array.from(rows, ([key, value]) => `${key} = ${value}`);
  return `local ${name} = { ${fields.join(', ')} }\n`;
}

function readScript(file: string): string {
  return readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8');
}

/** What the scripts take from tables, so that no script repeats it. */
const tables =
  luaTable('STATUS', [['admitted', 101], ...refusalCodes.map((code) => [code, refusals[code].status] as const)]) +
  luaTable(
    'CLOSING',
    closeReasons.map((reason) => [reason, closeCodes[reason].code] as const),
  ) +
  `local LISTED = { ${listedFields.map((field) => `'${field}'`).join(', ')} }\n`;

/** The complete source of a script, as it is sent to Redis. */
export function scriptSource(name: ScriptName): string {
  return `${tables}${readScript('prelude')}${readScript(name)}`;
}
