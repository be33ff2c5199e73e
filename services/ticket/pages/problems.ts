import { createHash } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { problemType } from '../../../shared/problem.ts';
import { type RefusalCode, refusalCodes, rowOf } from '../../../shared/refusals.ts';
import type { Refuse } from '../answers/answering.ts';

const RETRY_IN_WORDS = {
  never: 'Trying again does not help: a person has to change something.',
  reissue: 'Ask for a new ticket at once and connect again.',
  backoff: 'Wait, then ask for a new ticket and connect again.',
} as const;

const STYLE = `
:root { color-scheme: light dark; --ink: #1b2430; --dim: #5b6675; --paper: #fbfaf7; --line: #e2ded4; --mark: #b4451f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --dim: #9aa4b1; --paper: #14181e; --line: #2b323c; --mark: #ff9166; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.55 system-ui, sans-serif; }
main { max-width: 42rem; margin: 0 auto; padding: 12vh 1.5rem 4rem; }
.status { font: 600 0.95rem ui-monospace, monospace; color: var(--mark); }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.4rem 0 1rem; text-wrap: balance; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.5rem 1.5rem; margin: 2rem 0; padding-top: 1.5rem; border-top: 1px solid var(--line); }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; } code { font: 0.92em ui-monospace, monospace; }
ul { list-style: none; padding: 0; } li { display: grid; grid-template-columns: 3rem 1fr; align-items: baseline; padding: 0.45rem 0; border-top: 1px solid var(--line); }
a { color: inherit; text-decoration-color: var(--mark); text-underline-offset: 0.2em; }
`;

/** The hash that lets the content security policy allow the page's one style element. */
export const PROBLEM_PAGE_STYLE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;

/** `GET /problems` and `GET /problems/<code>`: the catalogue of refusals, as HTML or JSON. */
export function createProblemRoutes(refuse: Refuse): Router {
  const router = Router({ caseSensitive: true });
  router.get('/problems', (request: Request, response: Response) => {
    if (wantsPage(request)) response.type('html').send(indexPage());
    else response.json({ problems: refusalCodes.map(entryOf) });
  });
  router.get('/problems/:code', (request: Request<{ code: string }>, response: Response) => {
    const code = refusalCodes.find((known) => known === request.params.code);
    if (code === undefined) refuse(response, { code: 'not_found' });
    else if (wantsPage(request)) response.type('html').send(problemPage(code));
    else response.json(entryOf(code));
  });
  for (const path of ['/problems', '/problems/:code']) {
    router.all(path, (_request, response) => refuse(response, { code: 'method_not_allowed', allow: ['GET', 'HEAD'] }));
  }
  return router;
}

function entryOf(code: RefusalCode) {
  const { status, retry, title, detail, retryAfterSeconds } = rowOf(code);
  return { type: problemType(code), code, status, retry, retry_after: retryAfterSeconds, title, detail };
}

function wantsPage(request: Request): boolean {
  return request.accepts(['json', 'html']) === 'html';
}

function problemPage(code: RefusalCode): string {
  const { status, retry, title, detail } = rowOf(code);
  return page(
    title,
    `<p class="status">${status} <code>${code}</code></p>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(detail)}</p>
<dl>
<dt>Retry</dt><dd><code>${retry}</code>. ${RETRY_IN_WORDS[retry]}</dd>
<dt>Type</dt><dd><code>${problemType(code)}</code></dd>
</dl>
<p><a href="../problems">All refusals</a></p>`,
  );
}

function indexPage(): string {
  const rows = refusalCodes.map((code) => {
    const { status, title } = rowOf(code);
    return `<li><span class="status">${status}</span><span><a href="problems/${code}"><code>${code}</code></a><br>${escapeHtml(title)}</span></li>`;
  });
  return page('Refusals', `<h1>Refusals</h1>\n<ul>\n${rows.join('\n')}\n</ul>`);
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Oncegate</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${content}
</main>
</body>
</html>
`;
}

/** Texts of the table contain quotes and angle brackets. */
function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
