import type { SharedRedis } from './redis.ts';

/** Every key of a Redis with its content, as text. Throws at an unknown type, so that nothing is left out. */
export async function dumpRedis({ client }: SharedRedis): Promise<string> {
  const lines: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await client.scan(cursor, 'COUNT', 1_000);
    for (const key of keys) lines.push(`${key} ${JSON.stringify(await contentOf(client, key))}`);
    cursor = next;
  } while (cursor !== '0');
  return lines.join('\n');
}

async function contentOf(client: SharedRedis['client'], key: string): Promise<unknown> {
  const type = await client.type(key);
  switch (type) {
    case 'hash':
      return client.hgetall(key);
    case 'zset':
      return client.zrange(key, '0', '-1', 'WITHSCORES');
    case 'string':
      return client.get(key);
    case 'none':
      return null; // it expired meanwhile
    default:
      throw new Error(`a key of type ${type}: ${key}`);
  }
}

/** Records every command that a Redis runs from now on, including those inside scripts. */
export async function watchCommands({ client }: SharedRedis): Promise<{ text(): string; end(): void }> {
  const lines: string[] = [];
  const monitor = await client.monitor();
  monitor.on('monitor', (_time: string, args: string[]) => lines.push(args.join(' ')));
  return { text: () => lines.join('\n'), end: () => monitor.disconnect() };
}
