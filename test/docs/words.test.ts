import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { refusalCodes, rowOf } from '../../shared/refusals.ts';
import { codeBlocks, documents, readText, withoutCode } from './pages.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MAX_WORDS = 25;

/** Written by a run of the bench. */
const BENCH = 'docs/bench/README.md';

const examples = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md') && !path.includes('node_modules'))
  .map((path) => join('examples', path));
const pages = [...documents, ...examples];
const isDecision = (path: string): boolean => /decisions\/\d{4}-/.test(path);
const isGenerated = (path: string): boolean => readText(path).startsWith('<!-- Generated');

/** What a reader has to guess at, and the plain word for it. */
const riddles: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bbooks\b/i, 'bookkeeping'],
  [/\bend of patience\b/i, 'time-out'],
  [/\b(?:asks|another) door\b/i, 'asks over HTTP'],
  [/\bcalls? (?:that|it) off\b/i, 'cancels'],
  [/\bfor good or ill\b/i, 'yes or no'],
  [/\b(?:a|an|the|first|expected|clear) no\b(?=[ .,;:]*(?:of|is|to|$))/i, 'a refusal'],
  [/\blets? go of\b/i, 'closes, frees or releases'],
  [/\bto the letter\b/i, 'exactly'],
  [/\bwith bad luck\b/i, 'possibly'],
  [/\bfull house\b/i, 'a reached limit'],
  [/\bstays? as (?:it is|they are)\b/i, 'does not change'],
  [/\b(?:is|are|was|were) (?:all )?there already\b/i, 'exists, or that you run already'],
  [/\band the like\b/i, 'name them'],
  [/\bheld up\b/i, 'blocked'],
];

/** Terms with one spelling, and what they are not to be written as. */
const terms: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(?:backend|back-end)s?\b/i, 'back end'],
  [/\b(?:sub-protocol)s?\b/i, 'subprotocol'],
  [/\b(?:Web socket|Web Socket|Websocket|websocket)s?\b/, 'WebSocket'],
  [/\bforward auth\b/i, 'forward-auth'],
  [/\b(?:timeouts?|time outs?|time limits?)\b/i, 'time-out'],
  [/\b(?:log lines? of|lines? of the log)\b/i, 'log line'],
  [/\b(?:ticket server|token service)\b/i, 'ticket service'],
  [/\bclose frames?\b/, 'Close frame'],
  [/\bRedis is away\b/i, 'Redis is down'],
  [/\bsubject's place\b/i, 'slot'],
  [/\b(?:rejects?|rejected) (?:a|the|every) (?:ticket|upgrade|handshake)/i, 'refuse'],
  [/\bdocker-compose (?!\.)(?=[a-z-]+ ?(?:up|down|--))/i, 'docker compose'],
];

/** Prose: no fenced code, no comments, a code span as one word, a link as its text. */
function proseOf(markdown: string): string {
  return withoutCode(markdown)
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/`[^`]*`/g, '`x`')
    .replace(/\]\([^)]*\)/g, ']');
}

/** Paragraphs, list items and cells of tables, each on a line of its own. */
function blocksOf(markdown: string): string[] {
  return proseOf(markdown)
    .replace(/^\|.*\|$/gm, (row) => `\n${row.split(/(?<!\\)\|/).join('\n\n')}\n`)
    .replace(/\n(?=\s*(?:[-*]|\d+\.|#+|>) )/g, '\n\n')
    .split(/\n{2,}/)
    .map((block) => block.replace(/\s+/g, ' ').trim());
}

function sentencesOf(markdown: string): string[] {
  return blocksOf(markdown).flatMap((block) => block.split(/(?<=[.!?])["*)]*\s+/));
}

const lengthOf = (sentence: string): number => sentence.split(' ').filter((word) => /\w/.test(word)).length;

const written = pages.filter((path) => path !== BENCH);

test.each(written)('%s has no riddles, and spells each term in one way', (path) => {
  const prose = blocksOf(readText(path)).join('\n');
  const found = [...riddles, ...terms].flatMap(([pattern, instead]) => {
    const hit = pattern.exec(prose)?.[0];
    return hit === undefined ? [] : [`"${hit}": write ${instead}`];
  });
  expect(found).toEqual([]);
});

test.each(written.filter((path) => !isGenerated(path)))(
  `%s has no sentence of more than ${MAX_WORDS} words`,
  (path) => {
    expect(sentencesOf(readText(path)).filter((sentence) => lengthOf(sentence) > MAX_WORDS)).toEqual([]);
  },
);

test.each(written.filter((path) => !isDecision(path)))(
  '%s begins with what its reader can do after reading it',
  (path) => {
    const opening = blocksOf(readText(path)).filter((block) => block !== '' && !block.startsWith('#'));
    const words = path === 'README.md' ? opening.slice(0, 8) : opening.slice(0, 1);
    expect(words.join('\n')).toMatch(/\b[Aa]fter this page you (?:can|know)\b/);
  },
);

test('the first page says what Oncegate is not, before anything is run', () => {
  const readme = readText('README.md');
  const headings = [...readme.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  expect(headings[0]).toBe('What it is not');
});

test('a refusal that a document shows is what its row of the table says', () => {
  const shown = pages.flatMap((path) =>
    ['text', 'http', 'json'].flatMap((language) =>
      codeBlocks(readText(path), language).flatMap((block) =>
        [...block.matchAll(/^\{"type":"urn:oncegate:problem:.*\}$/gm)]
          .filter(([line]) => !line.includes('...'))
          .map(([line]) => ({ path, problem: JSON.parse(line) })),
      ),
    ),
  );
  expect(shown.length).toBeGreaterThan(1);
  for (const { path, problem } of shown) {
    const code = refusalCodes.find((known) => known === problem.code);
    const { title, detail, status, retry } = code ? rowOf(code) : {};
    expect({ path, ...problem }).toMatchObject({ path, title, detail, status, retry });
  }
});
