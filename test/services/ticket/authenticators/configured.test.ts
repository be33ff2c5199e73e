import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configuredAuthenticators } from '../../../../services/ticket/authenticators/configured.ts';
import { authenticationRules } from '../../../../services/ticket/authenticators/rules.ts';
import { createLogger } from '../../../../shared/process/log.ts';
import { loadSettings } from '../../../../shared/settings/load.ts';
import { MemoryStore } from '../../../../shared/store/memory/memory-store.ts';
import { bearer, JWT_SECRET } from '../../../support/logins/bearer.ts';
import { basic, quickHash } from '../../../support/logins/passwords.ts';
import { temporaryDirectory } from '../../../support/machine/temporary-file.ts';
import { runTicketService, settingsOf } from '../../../support/services/in-process.ts';
import { ask } from '../../../support/services/ticket-client.ts';
import { exchange } from '../../../support/sockets/raw-client.ts';

function fileOf(content: string): string {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'file'), content);
  return join(directory, 'file');
}

async function faultsOf(env: Record<string, string>): Promise<readonly string[]> {
  const loaded = await loadSettings(env, authenticationRules);
  return loaded.ok ? [] : loaded.faults;
}

const USERS = `# people\n\nada:${quickHash('right')}\r\nbob:${quickHash('secret')}\n`;

describe('a ticket service with two schemes', () => {
  const start = () => runTicketService({ AUTH_USERS_FILE: fileOf(USERS), AUTH_JWT_SECRET: JWT_SECRET });

  test('accepts either', async () => {
    const service = await start();

    for (const credentials of [basic('bob', 'secret'), await bearer('eve')]) {
      expect((await ask(service, '/tickets', { method: 'POST', credentials })).status).toBe(201);
    }
  });

  test.each([
    ['without credentials', '', ['Basic realm="oncegate", charset="UTF-8"', 'Bearer realm="oncegate"']],
    [
      'with a bad token',
      'Authorization: Bearer x\r\n',
      ['Basic realm="oncegate", charset="UTF-8"', 'Bearer realm="oncegate", error="invalid_token"'],
    ],
    [
      'with a bad password',
      `Authorization: ${basic('ada', 'wrong')}\r\n`,
      ['Basic realm="oncegate", charset="UTF-8"', 'Bearer realm="oncegate"'],
    ],
    [
      'with both at once',
      `Authorization: ${basic('ada', 'right')}\r\nauthorization: ${basic('ada', 'right')}\r\n`,
      ['Basic realm="oncegate", charset="UTF-8"', 'Bearer realm="oncegate"'],
    ],
  ])('challenges with both in one 401 %s', async (_name, header, challenges) => {
    const { port } = await start();
    const request = `POST /tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n${header}\r\n`;
    const [response] = await exchange(port, request);

    expect(response?.statusLine).toBe('HTTP/1.1 401 Unauthorized');
    expect(response?.values('www-authenticate')).toEqual(challenges);
  });
});

test('without settings there is no authenticator', async () => {
  const context = {
    settings: await settingsOf({}),
    store: new MemoryStore({ retentionMs: 1_000, leaseMs: 1_000, historyPerSubject: 1_000 }),
    log: createLogger('silent', {}),
  };

  expect(configuredAuthenticators(context)).toEqual([]);
});

describe('a users file', () => {
  test('that is well-formed has no faults', async () => {
    expect(await faultsOf({ AUTH_USERS_FILE: fileOf(USERS) })).toEqual([]);
  });

  test('has every fault reported, without any hash', async () => {
    const hash = quickHash('right');
    const lines = [
      'no colon',
      `:${hash}`,
      'ada:plain text',
      `bob:${hash}`,
      `bob:${hash}`,
      'eve:$argon2id$v=19$m=1$a$b',
    ];
    const faults = await faultsOf({ AUTH_USERS_FILE: fileOf(lines.join('\n')) });

    expect(faults).toEqual([
      'AUTH_USERS_FILE: line 1 must be name:hash',
      'AUTH_USERS_FILE: line 2 must be name:hash',
      'AUTH_USERS_FILE: line 3 must have a scrypt hash in PHC string format',
      'AUTH_USERS_FILE: line 5 repeats a name',
      'AUTH_USERS_FILE: line 6 must have a scrypt hash in PHC string format',
    ]);
  });

  test.each(['', '# nobody yet\n'])('without users is a fault: %j', async (content) => {
    expect(await faultsOf({ AUTH_USERS_FILE: fileOf(content) })).toEqual([
      'AUTH_USERS_FILE: must name at least one user (oncegate users add <name>)',
    ]);
  });

  test.each(['ln=25,r=8,p=1', 'ln=0,r=1,p=1', 'ln=15,r=99,p=99', 'ln=4,r=0,p=1'])(
    'with the costs %s is a fault',
    async (costs) => {
      const content = `ada:${quickHash('right').replace('ln=4,r=1,p=1', costs)}`;

      expect(await faultsOf({ AUTH_USERS_FILE: fileOf(content) })).toHaveLength(1);
    },
  );
});

test('a key file that holds a private key is a fault, and its content is not shown', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const path = fileOf(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());

  expect(await faultsOf({ AUTH_JWT_PUBLIC_KEY_FILE: path })).toEqual([
    'AUTH_JWT_PUBLIC_KEY_FILE: must hold an RSA, EC or Ed25519 public key in PEM, or a JWKS of such keys, and no private key',
  ]);
});
