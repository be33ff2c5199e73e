import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { routesSchema } from '../../../dist/services/gateway/admission/routes.js';
import { policySchema } from '../../../dist/services/ticket/issuing/policy.js';
import { closeCodes, closeReasons, temporaryCloseCodes } from '../../../dist/shared/close-codes.js';
import { metricsTable } from '../../../dist/shared/metrics.js';
import { problemOf, problemType } from '../../../dist/shared/problem.js';
import { refusalCodes, rowOf } from '../../../dist/shared/refusals.js';
import { settingNames, settingRow, settingsTable } from '../../../dist/shared/settings/table.js';
import { keyNames } from '../../../dist/shared/store/keys.js';
import { recordFields } from '../../../dist/shared/store/record.js';
import { scriptNames } from '../../../dist/shared/store/scripts.js';
import { bin, root } from '../run.mjs';
import { code, page, prose, table } from './markdown.mjs';

/** Every generated page: its path in the project, and its content. */
export function pages() {
  return {
    'docs/refusals.md': refusalsPage(),
    'docs/close-codes.md': closeCodesPage(),
    'docs/settings.md': settingsPage(),
    'docs/keys.md': keysPage(),
    'docs/scripts.md': scriptsPage(),
    'docs/metrics.md': metricsPage(),
    ...schemaFiles(),
    'client/errors/generated.ts': clientTables(),
  };
}

const RETRY = `| retry | what a client does |
| --- | --- |
| \`never\` | It stops and shows the reason: a person has to change something. |
| \`reissue\` | It asks for a new ticket at once and connects again. |
| \`backoff\` | It waits, for \`Retry-After\` seconds if there is one, then asks for a new ticket. |`;

const RETRY_AFTER_CLOSE = `| retry | what a client does |
| --- | --- |
| \`never\` | It stays closed and shows the reason: a person has to change something. |
| \`reissue\` | It waits for a random moment, because other connections may have ended at the same time. Then it connects with a new ticket. After \`draining\` the moment is within the spread that the reason names. |
| \`backoff\` | It waits in the same way, and longer after each further failure. Then it asks for a new ticket. |

With \`oncegate/client\` the moment is up to one second after either: see [when it tries again](client.md#when-it-tries-again).`;

function refusalsPage() {
  const link = (name) => `[${code(name)}](#${name})`;
  const rows = refusalCodes.map((name) => [link(name), rowOf(name).status, code(rowOf(name).retry), rowOf(name).title]);
  return page(
    '`shared/refusals.ts`',
    'Refusals',
    'After this page you know each refusal of the ticket service and of a gateway, and what to do about it. A refusal is an `application/problem+json` document (RFC 9457) with `type`, `title`, `status`, `code`, `detail` and `retry`. Some also have `retry_after` (seconds), `ticket_id` or `errors`. Switch on `code`: its meaning never changes. Titles and details may be reworded.',
    'A ticket service serves the same catalogue at `GET /problems` and `GET /problems/<code>`, as HTML or as JSON.',
    RETRY,
    '## All of them',
    table(['code', 'status', 'retry', 'title'], rows),
    '## One by one',
    ...refusalCodes.map(refusalSection),
  );
}

const NOT_COUNTED = '- not a failed handshake of the client (`MAX_FAILED_HANDSHAKES_PER_MINUTE`)';

function refusalSection(name) {
  const { status, retry, title, detail, countsAgainstClient } = rowOf(name);
  const facts = [
    `- status ${code(status)}, retry ${code(retry)}`,
    `- type ${code(problemType(name))}`,
    ...ownHeaders(name).map(([header, value]) => `- header ${code(`${header}: ${value}`)}`),
    ...(countsAgainstClient === false ? [NOT_COUNTED] : []),
  ];
  return `### \`${name}\`\n\n**${prose(title)}.** ${prose(detail)}\n\n${facts.join('\n')}`;
}

/** The headers that not every refusal has. */
function ownHeaders(name) {
  const ofTheTicketService = name.startsWith('credentials_');
  const { headers } = problemOf({
    code: name,
    allow: ['<the allowed methods>'],
    ...(ofTheTicketService && { challenges: ['<one challenge for each configured scheme>'] }),
  });
  const common = ['Content-Type', 'Cache-Control', 'X-Content-Type-Options'];
  return headers.filter(([header]) => !common.includes(header));
}

function closeCodesPage() {
  return page(
    '`shared/close-codes.ts`',
    'Close codes',
    "After this page you know why a gateway closed a connection, and what to do next. The code is from the IANA registry. The reason is the text of the Close frame. Both are on the ticket's record afterwards. Only `draining` has more text: `draining;spread_seconds=0;spread`.",
    'A code that is not here came from the client, from the back end or from the network. A record has `1006` if the connection ended without a Close frame. Its reason is then `client_gone` if the client left before the 101, and `store_unavailable` if the store answered too late.',
    table(
      ['reason', 'code', 'retry', 'when'],
      closeReasons.map((reason) => [
        code(reason),
        closeCodes[reason].code,
        code(closeCodes[reason].retry),
        prose(closeCodes[reason].when) + (closeCodes[reason].reserved ? ' (reserved: not sent in this version)' : ''),
      ]),
    ),
    RETRY_AFTER_CLOSE,
    '## Without a reason',
    'If a connection ends with none of these reasons, the network, a proxy or the back end ended it. These codes then count as `backoff`, and every other code as `never`.',
    table(
      ['code', 'when'],
      Object.entries(temporaryCloseCodes).map(([number, when]) => [number, prose(when)]),
    ),
  );
}

function settingsPage() {
  return page(
    '`shared/settings/table.ts`',
    'Settings',
    'After this page you can configure the services: it has every environment variable that they read. They also read a `.env` file in the working directory; the environment takes precedence. An empty value counts as none. All faults of a configuration are reported together on stderr, one a line, before anything listens. The exit code is then 78. `npx oncegate settings` prints the same table.',
    table(
      ['name', 'default', 'must be', 'read by', 'what it is'],
      settingNames.map((name) => {
        const { type, default: written, defaultNote, reader, secret, doc } = settingRow(name);
        const fallback = written === undefined ? prose(defaultNote ?? 'none') : code(written);
        const text = prose(doc) + (secret ? ' Secret: it is never printed.' : '');
        const services = reader === 'both' ? 'both' : reader;
        return [`<a id="${name}"></a>${code(name)}`, fallback, prose(type.form), services, text];
      }),
    ),
    `There are ${Object.keys(settingsTable).length} of them. Read by \`both\` means the ticket service and the gateway; standalone reads all.`,
  );
}

function keysPage() {
  return page(
    '`shared/store/keys.ts` and `shared/store/record.ts`',
    'Redis keys',
    `After this page you can read what Oncegate keeps in Redis. Names begin with [\`REDIS_KEY_PREFIX\`](settings.md#REDIS_KEY_PREFIX), \`${settingRow('REDIS_KEY_PREFIX').default}\` unless set. \`<digest>\` is the first 11 characters of a ticket id, and \`<random>\` the last 11. The digest is the Redis Cluster hash tag, so all keys of one subject are in one hash slot.`,
    table(
      ['name', 'type', 'what', 'lives'],
      Object.values(keyNames).map(({ name, type, what, lives }) => [
        code(settingRow('REDIS_KEY_PREFIX').default + name),
        type,
        prose(what),
        prose(lives),
      ]),
    ),
    '## The record of a ticket',
    'The record is a hash. Times are Unix milliseconds by the clock of Redis. A field without a value is absent.',
    table(
      ['field', 'what'],
      Object.entries(recordFields).map(([field, what]) => [code(field), prose(what)]),
    ),
  );
}

function scriptsPage() {
  return page(
    '`shared/store/scripts/*.lua`',
    'Scripts',
    'After this page you can call each Lua script: it has the contract from the header of each file. Key names stand without their prefix; see [keys](keys.md). [The protocol](protocol.md#the-scripts) says what the scripts do together.',
    ...scriptNames.map((name) => `## ${code(name)}\n\n\`\`\`text\n${scriptHeader(name)}\n\`\`\``),
  );
}

/** The comment that a script begins with, without its indentation. */
function scriptHeader(name) {
  const source = readFileSync(join(root, 'shared/store/scripts', `${name}.lua`), 'utf8');
  return source
    .slice(source.indexOf('--[[') + 4, source.indexOf(']]'))
    .replace(/^ {2}/gm, '')
    .trim();
}

function metricsPage() {
  return page(
    '`shared/metrics.ts`',
    'Metrics',
    'After this page you know each metric of `GET /metrics` on the admin port. The format is the text format of Prometheus. The usual `process_` and `nodejs_` metrics are there too. Labels come from closed sets, and every series starts at zero.',
    table(
      ['name', 'type', 'service', 'label', 'what'],
      Object.entries(metricsTable).map(([name, { type, service, label, help }]) => [
        code(name),
        type,
        service,
        label ? `${code(label.name)}: ${labelValues(label.values)}` : '',
        prose(help),
      ]),
    ),
  );
}

function labelValues(values) {
  const others = values.filter((value) => !refusalCodes.includes(value)).map(code);
  const codes = refusalCodes.every((name) => values.includes(name));
  return [...others, ...(codes ? ['any code of [refusals](refusals.md)'] : [])].join(', ');
}

/** JSON Schema of a policy file, laid out as everything else is. */
function schemaFiles() {
  const rows = [
    ['docs/policy.schema.json', policySchema, 'Oncegate ticket policy', 'services/ticket/issuing/policy.ts'],
    ['docs/routes.schema.json', routesSchema, 'Oncegate routes', 'services/gateway/admission/routes.ts'],
  ];
  return Object.fromEntries(rows.map((row) => [row[0], schemaFile(...row)]));
}

function schemaFile(path, of, title, source) {
  const { $schema, ...schema } = z.toJSONSchema(of, { io: 'input' });
  const $comment = `Generated by \`npm run docs\` from \`${source}\`. Change its source, not this file.`;
  const input = JSON.stringify({ $schema, $comment, title, ...schema }, null, 2);
  return spawnSync(bin('biome'), ['format', `--stdin-file-path=${path}`], { cwd: root, input, encoding: 'utf8' })
    .stdout;
}

/** What the client has to know of the two tables, and no more: its size is limited (docs/decisions/0022). */
function clientTables() {
  const map = (doc, declaration, entries) =>
    `/** ${doc} */\nexport const ${declaration} = {\n${entries.map(([key, value]) => `  ${key}: ${value},\n`).join('')}};\n`;
  const rows = refusalCodes.map((name) => [name, rowOf(name)]);
  const expected = (name, status) =>
    status === 408 || status > 428 ? 'backoff' : name.startsWith('ticket_') ? 'reissue' : 'never';
  return [
    "// Generated from shared/refusals.ts and shared/close-codes.ts by `npm run docs`: not to be edited.\n\nimport type { Retry } from '../../shared/refusals.ts';\n",
    map(
      'The shortest wait after a refusal, in seconds. Other refusals have none.',
      'retryAfterSeconds: Readonly<Record<string, number>>',
      rows
        .filter(([, { retryAfterSeconds }]) => retryAfterSeconds !== undefined)
        .map(([name, { retryAfterSeconds }]) => [name, retryAfterSeconds]),
    ),
    map(
      'Refusals that break the rule: `backoff` for status 408 and from 429 on, `reissue` for `ticket_...`, else `never`.',
      'unexpectedRetry: Readonly<Record<string, Retry>>',
      rows
        .filter(([name, { retry, status }]) => retry !== expected(name, status))
        .map(([name, { retry }]) => [name, `'${retry}'`]),
    ),
    map(
      'Whether to come back, by the reason with which a gateway closed a connection.',
      'closeRetry: Readonly<Record<string, Retry>>',
      closeReasons.map((reason) => [reason, `'${closeCodes[reason].retry}'`]),
    ),
    `/** Close codes to come back from, with \`backoff\`, although no gateway gave a reason. */\nexport const temporaryCloseCodes: readonly number[] = [${Object.keys(temporaryCloseCodes).join(', ')}];\n`,
  ].join('\n');
}
