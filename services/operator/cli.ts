#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { exitCodes } from '../../shared/process/exit-codes.ts';
import { VERSION } from '../../shared/version.ts';
import { checkConfig } from './check-config.ts';
import { connect } from './connect.ts';
import { addKey, type KeyOptions, listKeys, revokeKey } from './keys.ts';
import { printSettings } from './settings.ts';
import { UsageError } from './usage-error.ts';
import { addUser } from './users-add.ts';

const USAGE = `oncegate ${VERSION}: one ticket, one connection, once

  oncegate users add <name> [--file <path>]
      Adds a user for HTTP Basic, or replaces the user's password. The password is asked for, or
      read from standard input. The file is AUTH_USERS_FILE unless --file names another.

  oncegate keys add <name> [--subject <pattern>]... [--audience <audience>]... [--file <path>]
  oncegate keys list [--file <path>]
  oncegate keys revoke <name or id> [--file <path>]
      Adds, lists or revokes API keys of back ends. With --subject a key may issue for other
      subjects too (* matches any run of characters). The file is AUTH_API_KEYS_FILE unless --file
      names another.

  oncegate check-config [--token <file>] [--strict]
      Prints the ticket service's effective configuration without its secrets, tries to reach every
      service that it needs, and reports what is wrong. With --token it also says why the Bearer token
      in that file would be refused. With --strict, whatever is allowed but unsafe is wrong too, such as
      a missing limit or an unencrypted connection.

  oncegate connect <file or URL> [--insecure]
      Opens a WebSocket with a ticket. Give a file with the answer of POST /tickets, or its
      connect_url. Sends each line of standard input and prints each message. If the gateway
      refuses, prints its whole answer.

  oncegate settings
      Prints every environment variable that the services read, with its bounds and its default.
`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.version) return print(`${VERSION}\n`);
  if (values.help) return print(USAGE);
  const [noun, verb, name, ...rest] = positionals;
  if (noun === 'users' && verb === 'add' && name !== undefined && rest.length === 0) return addUser(name, values.file);
  if (noun === 'keys') return keys(verb, name, rest.length, values);
  if (noun === 'check-config' && verb === undefined) return checkConfig({ token: values.token, strict: values.strict });
  if (noun === 'connect' && verb !== undefined && name === undefined)
    return connect(verb, { insecure: values.insecure });
  if (noun === 'settings' && verb === undefined) return print(printSettings());
  throw new UsageError(noun === undefined ? 'no command was given' : `wrong command line: ${positionals.join(' ')}`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        file: { type: 'string' },
        subject: { type: 'string', multiple: true },
        audience: { type: 'string', multiple: true },
        token: { type: 'string' },
        insecure: { type: 'boolean', default: false },
        strict: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'the options cannot be read');
  }
}

function keys(verb: string | undefined, name: string | undefined, more: number, options: KeyOptions): number {
  if (more === 0) {
    if (verb === 'add' && name !== undefined) return addKey(name, options);
    if (verb === 'revoke' && name !== undefined) return revokeKey(name, options);
    if (verb === 'list' && name === undefined) return listKeys(options);
  }
  throw new UsageError('the keys commands are: keys add <name>, keys list, keys revoke <name>');
}

function print(text: string): number {
  process.stdout.write(text);
  return exitCodes.ok;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`oncegate: ${error.message}\n\n${USAGE}`);
    process.exitCode = exitCodes.usage;
  } else {
    process.stderr.write(`oncegate: ${error instanceof Error ? error.message : 'failed'}\n`);
    process.exitCode = exitCodes.fault;
  }
}
