import { io } from 'socket.io-client';

const { TICKET_URL = 'http://localhost:8080', CREDENTIALS = 'ada:secret' } = process.env;
const headers = { Authorization: `Basic ${Buffer.from(CREDENTIALS).toString('base64')}` };

/** Resolves with a new ticket; rejects with the reason if there is none. */
async function getTicket() {
  const answer = await fetch(`${TICKET_URL}/tickets`, { method: 'POST', headers });
  if (!answer.ok) throw new Error((await answer.json()).code);
  return answer.json();
}

/** Resolves with the socket and the server's greeting; rejects with the reason why it was refused. */
function connect({ id, url, protocols }) {
  // No automatic reconnection: every attempt needs its own ticket.
  const socket = io(url, { transports: ['websocket'], protocols, forceNew: true, reconnection: false });
  return new Promise((resolve, reject) => {
    socket.once('greeting', (greeting) => resolve({ socket, greeting }));
    socket.once('connect_error', async () => {
      const record = await (await fetch(`${TICKET_URL}/tickets/${id}`, { headers })).json();
      reject(new Error(record.last_attempt?.outcome ?? 'not_seen'));
    });
  });
}

const ticket = await getTicket();
const { socket, greeting } = await connect(ticket);
process.stdout.write(`${greeting}\n`);

socket.emit('say', 'good morning');
const { by, text } = await new Promise((resolve) => socket.once('said', resolve));
process.stdout.write(`${by}: ${text}\n`);

// A ticket buys one connection.
await connect(ticket).catch((error) => process.stdout.write(`the same ticket again: ${error.message}\n`));
socket.disconnect();
