import { existsSync } from 'node:fs';
import { replaceFile } from '../../shared/files/replace-file.ts';
import { readTextFile } from '../../shared/files/text-file.ts';
import { type ApiKey, formatApiKeys, mintApiKey, parseApiKeys } from '../../shared/logins/api-keys.ts';
import { exitCodes } from '../../shared/process/exit-codes.ts';
import { readEnvironment } from '../../shared/settings/load.ts';
import { isSubject } from '../../shared/ticket/ticket.ts';
import { UsageError } from './usage-error.ts';

export interface KeyOptions {
  readonly file?: string | undefined;
  /** Patterns of the subjects that the key may issue for. */
  readonly subject?: readonly string[] | undefined;
  /** The only audiences that its tickets may have; absent for any. */
  readonly audience?: readonly string[] | undefined;
}

/** `oncegate keys add <name>`: makes an API key and prints it. It is never shown again. */
export function addKey(name: string, options: KeyOptions): number {
  if (!isSubject(name)) throw new UsageError('a name has 1 to 256 characters and no control characters');
  const { path, keys } = readKeys(options.file);
  if (keys.some((key) => key.name === name)) throw new Error(`there is a key named ${name} already; revoke it first`);
  const limits = {
    ...(options.subject && { subjects: [...options.subject] }),
    ...(options.audience && { audiences: [...options.audience] }),
  };
  const { value, key } = mintApiKey(name, limits, new Date());
  const content = formatApiKeys([...keys, key]);
  if (!parseApiKeys(content).ok)
    throw new UsageError(
      'an audience has 1 to 64 characters of A-Z a-z 0-9 . _ -, a subject pattern has 1 to 256 characters',
    );
  replaceFile(path, content);
  process.stdout.write(`${value}\n`);
  process.stderr.write(
    `Added ${name} to ${path}. This is the only time that the key is shown. Send it as: Authorization: Bearer <key>\n`,
  );
  return exitCodes.ok;
}

/** `oncegate keys list`: prints each key's id, name, subjects and audiences. */
export function listKeys(options: KeyOptions): number {
  const { keys } = readKeys(options.file);
  for (const { id, name, created_at: createdAt, subjects = [], audiences } of keys) {
    const rights = [`for ${[name, ...subjects].join(' ')}`, `audiences ${audiences?.join(' ') ?? 'any'}`];
    process.stdout.write(`${id}  ${createdAt}  ${name}  (${rights.join('; ')})\n`);
  }
  return exitCodes.ok;
}

/** `oncegate keys revoke <name>`: revokes a key. After it returns, the key issues no ticket. */
export function revokeKey(name: string, options: KeyOptions): number {
  const { path, keys } = readKeys(options.file);
  const kept = keys.filter((key) => key.name !== name && key.id !== name);
  if (kept.length === keys.length) throw new Error(`there is no key named ${name} in ${path}`);
  replaceFile(path, formatApiKeys(kept));
  process.stdout.write(`Revoked ${name}.\n`);
  return exitCodes.ok;
}

function readKeys(file: string | undefined): { path: string; keys: readonly ApiKey[] } {
  const path = file ?? readEnvironment().AUTH_API_KEYS_FILE;
  if (!path) throw new UsageError('no file: give --file <path>, or set AUTH_API_KEYS_FILE');
  const parsed = parseApiKeys(existsSync(path) ? readTextFile(path) : '');
  if (!parsed.ok) throw new Error(`${path}: ${parsed.faults.join('; ')}; nothing was changed`);
  return { path, keys: parsed.keys };
}
