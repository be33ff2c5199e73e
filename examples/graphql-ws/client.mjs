import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws'; // a browser has its own

const { TICKET_URL = 'http://localhost:8080', CREDENTIALS = 'ada:secret' } = process.env;
const headers = { Authorization: `Basic ${Buffer.from(CREDENTIALS).toString('base64')}` };

let ticket;

/** Adds the ticket to the subprotocol that graphql-ws asks for. */
class TicketSocket extends WebSocket {
  constructor(url, protocol) {
    super(url, [protocol, ...ticket.protocols]);
  }
}

const client = createClient({
  // Called before every attempt, so that each has its own ticket.
  url: async () => {
    const answer = await fetch(`${TICKET_URL}/tickets`, { method: 'POST', headers });
    ticket = await answer.json();
    if (!answer.ok) throw new Error(ticket.code);
    return `${ticket.url}/~${ticket.id}/graphql`;
  },
  webSocketImpl: TicketSocket,
  retryAttempts: 0,
});

try {
  for await (const { data } of client.iterate({ query: '{ me }' })) process.stdout.write(`me: ${data.me}\n`);
  for await (const { data } of client.iterate({ query: 'subscription { countdown(from: 2) }' })) {
    process.stdout.write(`${data.countdown}\n`);
  }
} catch (error) {
  process.stdout.write(`refused: ${error.message}\n`);
}
await client.dispose();
