import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isMissing } from '../support/machine/programs.ts';
import { until } from '../support/machine/wait.ts';
import { workerRedis } from '../support/redis/redis.ts';
import { startCommand } from '../support/services/command-line.ts';
import { startService } from '../support/services/services.ts';
import { startTicketDesk } from './embedded.ts';

const root = join(import.meta.dirname, '..', '..');

test.skipIf(isMissing('java'))('a Java client is greeted, and told why it is refused', async () => {
  const redis = await workerRedis();
  const gateway = await startService('gateway', { REDIS_URL: redis.url });
  await until(async () => (await fetch(`http://127.0.0.1:${gateway.adminPort}/readyz`)).ok);
  const desk = await startTicketDesk(redis.url, `ws://127.0.0.1:${gateway.port}`);
  const run = async (env: Readonly<Record<string, string>>): Promise<string> => {
    const client = startCommand('java', ['examples/java/Client.java'], { cwd: root, env });
    expect(await client.exited).toBe(0);
    return client.stdout();
  };

  expect(await run(desk.env)).toMatch(
    /^\{"type":"hello","ticket_id":"[\w-]{22}","subject":"ada","claims":\{\},"client_claims":\{\}\}\nrefused: 401 ticket_consumed\n$/,
  );
  expect(await run({ ...desk.env, CREDENTIALS: 'ada:wrong' })).toBe('no ticket: 401 credentials_invalid\n');
});
