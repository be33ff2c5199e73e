import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Reads a password: the first line of standard input. At a terminal it asks, and does not echo what is typed. */
export async function readPassword(question: string): Promise<string> {
  const atTerminal = process.stdin.isTTY === true;
  if (atTerminal) process.stderr.write(question);
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silence, terminal: atTerminal });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    if (atTerminal) process.stderr.write('\n');
  }
}
