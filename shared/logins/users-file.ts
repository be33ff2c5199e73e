import { isSubject } from '../ticket/ticket.ts';
import { parsePasswordHash } from './password.ts';

/** The users of a file, in its order: name to PHC hash. */
export type Users = ReadonlyMap<string, string>;

export type ParsedUsers = { readonly users: Users; readonly faults: readonly string[] };

/** Whether a name is possible in a users file and in HTTP Basic (RFC 7617 §2: no colon). */
export function isUserName(name: string): boolean {
  return isSubject(name) && !name.includes(':') && !name.startsWith('#') && name.trim() === name;
}

/** Reads a users file: one `name:hash` a line; empty lines and lines that begin with `#` are skipped. */
export function parseUsersFile(content: string): ParsedUsers {
  const users = new Map<string, string>();
  const faults: string[] = [];
  for (const [index, line] of content.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    const hash = line.slice(colon + 1).trim();
    if (!isUserName(name)) faults.push(`line ${index + 1} must be name:hash`);
    else if (parsePasswordHash(hash) === null)
      faults.push(`line ${index + 1} must have a scrypt hash in PHC string format`);
    else if (users.has(name)) faults.push(`line ${index + 1} repeats a name`);
    else users.set(name, hash);
  }
  return { users, faults };
}

/** The content of a users file with a user added, or with another password for that user. */
export function withUser(content: string, name: string, hash: string): string {
  const others = content.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith(`${name}:`));
  return `${[...others, `${name}:${hash}`].join('\n')}\n`;
}
