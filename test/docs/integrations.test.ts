import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readText } from './pages.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PROXIES = ['nginx', 'caddy', 'haproxy', 'traefik', 'envoy'];

/** The headers of a gateway's answers and of the questions to it, besides the identity itself. */
const HEADERS = [
  ...['oncegate-subject', 'oncegate-ticket-id', 'oncegate-claims', 'oncegate-client-claims', 'oncegate-identity'],
  ...['oncegate-uri', 'oncegate-protocols', 'oncegate-default-protocol'],
  ...['oncegate-status', 'oncegate-code', 'oncegate-problem', 'oncegate-deny-with'],
];

const filesOf = (proxy: string): string[] =>
  readdirSync(join(ROOT, 'examples', proxy))
    .filter((name) => name !== 'README.md')
    .map((name) => `examples/${proxy}/${name}`);

describe.each(PROXIES)('the page of %s', (proxy) => {
  const path = `docs/integrations/${proxy}.md`;

  test.each(filesOf(proxy))('contains %s as it is (ONCEGATE_WRITE_DOCS=1 writes it)', (file) => {
    const page = readText(path);
    // The block after the link to the file.
    const block = new RegExp(
      `(\\]\\(\\.\\./\\.\\./${file.replaceAll('.', '\\.')}\\)[^\\n]*\\n\\n\`\`\`\\w*\\n)([\\s\\S]*?)(\`\`\`\\n)`,
    );
    expect(page).toMatch(block);
    if (process.env.ONCEGATE_WRITE_DOCS === '1') {
      writeFileSync(
        join(ROOT, path),
        page.replace(block, (_, before, __, after) => before + readText(file) + after),
      );
      return;
    }
    expect(block.exec(page)?.[2]).toBe(readText(file));
  });

  test('is listed', () => {
    expect(readText('docs/integrations/README.md')).toContain(`(${proxy}.md)`);
  });

  test.each(filesOf(proxy))('%s names no header of Oncegate that does not exist', (file) => {
    // Names with underscores are variables, or the spellings that are removed.
    const named = [...readText(file).matchAll(/\boncegate-[a-z]+(?:-[a-z]+)*(?![\w-])/gi)].map(([name]) =>
      name.toLowerCase(),
    );
    const others = ['oncegate-admit'];
    expect(named.filter((name) => !HEADERS.includes(name) && !others.includes(name))).toEqual([]);
  });
});
