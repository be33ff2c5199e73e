import { expect, test } from 'vitest';
import { codeOf, readText, tableRows } from './pages.ts';

test('the page about embedding has every misuse of the gate that is logged, and no other', () => {
  const source = readText('services/gateway/fronts/embed.ts');
  const [, misuses = ''] = /^const MISUSES = \{$([\s\S]*?)^\};$/m.exec(source) ?? [];
  const logged = [...misuses.matchAll(/^ {2}(\w+):/gm)].map(([, event]) => event);
  const documented = tableRows(readText('docs/embedding.md')).map(([first]) => codeOf(first));

  expect(logged.length).toBeGreaterThan(2);
  expect(documented.filter((event) => event?.startsWith('upgrade_'))).toEqual(logged);
});
