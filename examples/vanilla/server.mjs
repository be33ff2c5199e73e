import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

// Any web server can serve these two files. This one also fills in the address of the ticket service.
const { PORT = '3000', TICKETS_URL = 'http://localhost:8080/tickets' } = process.env;

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const files = new Map([
  ['/', ['text/html', read('index.html').replace('http://localhost:8080/tickets', TICKETS_URL)]],
  ['/oncegate.min.js', ['text/javascript', read('../../dist/client/oncegate.min.js')]],
]);

const server = createServer(({ url }, response) => {
  const [type, text] = files.get(url) ?? ['text/plain', undefined];
  response.writeHead(text ? 200 : 404, { 'Content-Type': `${type}; charset=utf-8` });
  response.end(text ?? 'There is nothing here.');
});
server.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`http://localhost:${server.address().port}\n`);
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
