import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { closeReasons } from '../../shared/close-codes.ts';
import { metricsTable } from '../../shared/metrics.ts';
import { refusalCodes } from '../../shared/refusals.ts';
import { settingNames } from '../../shared/settings/table.ts';
import { VERSION } from '../../shared/version.ts';
import { anchorsOf, codeBlocks, documents, readText, withoutCode } from './pages.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Names in capitals that are no settings. */
const NOT_SETTINGS = [
  'KEYS',
  'ARGV',
  'STATUS',
  'CLOSING',
  'CI',
  'TOKEN',
  'PUBLISH',
  'REDIS_PASSWORD',
  'ALLOWED_ORIGIN',
  'REDIS_SERVICE_HOST',
];

describe.each(documents)('%s', (path) => {
  const text = readText(path);
  const links = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);

  test('links to files and anchors that exist', () => {
    const broken = links
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [file = '', anchor] = target.split('#');
        const linked = file === '' ? path : normalize(join(dirname(path), file));
        if (!existsSync(join(ROOT, linked))) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(join(ROOT, linked), 'utf8')).has(anchor);
      });
    expect(broken).toEqual([]);
  });

  test('names no setting that does not exist', () => {
    const names = [...text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`/g)].map(([, name = '']) => name);
    const assigned = [...text.matchAll(/^(?:export )?([A-Z][A-Z0-9_]+)=/gm)].map(([, name = '']) => name);
    const known: readonly string[] = [...settingNames, ...NOT_SETTINGS];
    expect([...names, ...assigned].filter((name) => !known.includes(name))).toEqual([]);
  });

  test('names no metric that does not exist', () => {
    const names = [...text.matchAll(/`(oncegate_[a-z_]+)/g)].map(([, name = '']) => name);
    expect(names.filter((name) => !(name in metricsTable))).toEqual([]);
  });
});

test('the protocol names every refusal and every close reason that it explains by a code of the tables', () => {
  const protocol = readText('docs/protocol.md');
  const known: readonly string[] = [...refusalCodes, ...closeReasons];
  const endings =
    /`((?:ticket|origin|path|audience|address|connection|pending|store|request|upstream|session)_[a-z]+)`/g;
  const fields = ['ticket_id', 'session_expires_at'];
  const named = [...protocol.matchAll(endings)].map(([, code = '']) => code);
  expect(named.filter((code) => !known.includes(code) && !fields.includes(code))).toEqual([]);
  expect(
    refusalCodes.filter((code) => !protocol.includes(code) && !['not_found', 'method_not_allowed'].includes(code)),
  ).toEqual([]);
});

test('the page of authentication names every setting of an authenticator', () => {
  const page = readText('docs/authentication.md');
  const ours = settingNames.filter((name) => name.startsWith('AUTH_') || name.startsWith('MAX_REQUESTS_'));
  expect(ours.filter((name) => !page.includes(`\`${name}`))).toEqual([]);
});

describe('README.md', () => {
  const readme = readText('README.md');
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> }; // npm's own format

  test('shows the flow as a Mermaid sequence diagram', () => {
    expect(codeBlocks(readme, 'mermaid')[0]).toMatch(/^sequenceDiagram\n/);
  });

  test('names npm scripts that exist, and programs that the build writes', () => {
    const commands = codeBlocks(readme, 'sh').join('\n');
    const named = [...commands.matchAll(/^(?:[A-Z_]+=\S+ )*npm (?:run )?([a-z:]+)/gm)].map(([, name = '']) => name);
    expect(named).toContain('start');
    expect(named).toContain('test');
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
    const programs = [...commands.matchAll(/node dist\/(\S+)\.js/g)].map(([, program = '']) => program);
    expect(programs.filter((program) => !existsSync(join(ROOT, `${program}.ts`)))).toEqual([]);
  });

  test('signs nobody in before it has added them', () => {
    const users = [...readme.matchAll(/curl [^\n]*-u (\w+)[ :]/g)].map(({ index, 1: name = '' }) => ({ index, name }));
    expect(users.length).toBeGreaterThan(2);
    const early = users.filter(({ index, name }) => {
      const added = name === 'demo' ? readme.indexOf('npm start') : readme.indexOf(`users add ${name} `);
      return added < 0 || added > index;
    });
    expect(early).toEqual([]);
  });
});

test('the newest version in CHANGELOG.md is that of package.json and of the code', () => {
  const [, newest] = /^## (\S+) - \d{4}-\d{2}-\d{2}$/m.exec(readText('CHANGELOG.md')) ?? [];
  const { version } = JSON.parse(readText('package.json')) as { version: string }; // npm's own format
  expect(newest).toBe(version);
  expect(VERSION).toBe(version);
});

test('docs/decisions/README.md lists every decision', () => {
  const index = readText('docs/decisions/README.md');
  const decisions = documents.filter((path) => /decisions\/\d{4}-/.test(path)).map((path) => path.slice(15));
  expect(decisions.filter((file) => !index.includes(`(${file})`))).toEqual([]);
});
