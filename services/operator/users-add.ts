import { existsSync } from 'node:fs';
import { replaceFile } from '../../shared/files/replace-file.ts';
import { readTextFile } from '../../shared/files/text-file.ts';
import { hashPassword } from '../../shared/logins/password.ts';
import { isUserName, parseUsersFile, withUser } from '../../shared/logins/users-file.ts';
import { exitCodes } from '../../shared/process/exit-codes.ts';
import { readEnvironment } from '../../shared/settings/load.ts';
import { readPassword } from './read-password.ts';
import { UsageError } from './usage-error.ts';

/** `oncegate users add <name>`: adds a user to a users file, or replaces the user's password. */
export async function addUser(name: string, file: string | undefined): Promise<number> {
  const path = file ?? readEnvironment().AUTH_USERS_FILE;
  if (!path) throw new UsageError('no file: give --file <path>, or set AUTH_USERS_FILE');
  if (!isUserName(name)) {
    throw new UsageError(
      'a name has 1 to 256 characters, no colon and no control characters, and begins with neither # nor a blank',
    );
  }
  readUsers(path);
  const password = await readPassword(`Password for ${name}: `);
  if (password === '') throw new Error('the password is empty; nothing was changed');

  const hash = await hashPassword(password);
  // Race: another user may have been added while the password was typed and hashed.
  const content = readUsers(path);
  const replaced = parseUsersFile(content).users.has(name);
  replaceFile(path, withUser(content, name, hash));
  process.stdout.write(
    `${replaced ? 'Replaced the password of' : 'Added'} ${name} in ${path}. Restart the ticket service to use it.\n`,
  );
  return exitCodes.ok;
}

/** The content of a users file; empty if there is no file yet. Throws if the file is malformed. */
function readUsers(path: string): string {
  const content = existsSync(path) ? readTextFile(path) : '';
  const [fault] = parseUsersFile(content).faults;
  if (fault !== undefined) throw new Error(`${path}: ${fault}; nothing was changed`);
  return content;
}
