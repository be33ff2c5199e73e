import { expect, test } from 'vitest';
import { settingChecks } from '../../shared/settings/checks.ts';
import { codeOf, readText, tableRows } from './pages.ts';

const page = readText('docs/operations.md');

test.each([
  ['Warnings at the start', 'always', ['open_files_exhausted', 'gateway_id_shared']],
  ['Who signs in', 'strict', []],
] as const)('the section %s has a row for each check, and no others', (heading, when, more) => {
  const [section = ''] = page.split(new RegExp(`^#+ ${heading}$`, 'm')).slice(1);
  const [here = ''] = section.split(/^#+ /m);
  const events = settingChecks.filter((check) => check.when === when).map(({ event }) => event);
  const rows = tableRows(here).map(([cell]) => codeOf(cell));

  expect(rows.filter((row) => /^[a-z_]+$/.test(row))).toEqual([...events, ...more]);
});
