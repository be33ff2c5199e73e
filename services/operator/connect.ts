import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { exitCodes } from '../../shared/process/exit-codes.ts';
import { carriers, idSegment } from '../../shared/ticket/carriers.ts';
import { UsageError } from './usage-error.ts';

const issued = z.object({ url: z.url(), connect_url: z.url().nullable(), ticket: z.string(), id: z.string() });

interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `oncegate connect`: opens a WebSocket with a ticket, or prints why the gateway refused it. */
export async function connect(argument: string, { insecure }: { insecure: boolean }): Promise<number> {
  const { url, headers } = targetOf(argument);
  const webSocket = new WebSocket(url, { headers, rejectUnauthorized: !insecure });
  return new Promise((resolve) => {
    webSocket.on('open', () => {
      process.stderr.write('open\n');
      const lines = createInterface({ input: process.stdin });
      lines.on('line', (line) => webSocket.send(line));
      lines.on('close', () => webSocket.close(1000));
      webSocket.on('close', () => lines.close());
    });
    webSocket.on('message', (data) => process.stdout.write(`${data.toString()}\n`));
    webSocket.on('close', (code, reason) => {
      process.stderr.write(`closed ${code} ${reason.toString()}\n`);
      resolve(exitCodes.ok);
    });
    webSocket.on('unexpected-response', (_request, response) => {
      void printRefusal(response).then(() => resolve(exitCodes.fault));
    });
    webSocket.on('error', (error) => {
      process.stderr.write(`failed: ${error.message || 'the gateway cannot be reached'}\n`);
      resolve(exitCodes.fault);
    });
  });
}

function targetOf(argument: string): Target {
  if (/^wss?:\/\//.test(argument)) return { url: argument, headers: {} };
  let answer: z.infer<typeof issued>;
  try {
    answer = issued.parse(JSON.parse(readFileSync(argument, 'utf8')));
  } catch {
    throw new UsageError(`${argument} is neither a ws:// URL nor a file with the answer of POST /tickets`);
  }
  if (answer.connect_url !== null) return { url: answer.connect_url, headers: {} };
  return {
    url: `${answer.url.replace(/\/+$/, '')}${idSegment(answer.id)}`,
    headers: { Authorization: carriers.authorization.write(answer.ticket) },
  };
}

async function printRefusal(response: IncomingMessage): Promise<void> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  process.stderr.write(`refused: HTTP ${response.statusCode} ${response.statusMessage}\n${body}\n`);
}
