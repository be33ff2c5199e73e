/**
 * The application that nginx asks about each request. It spends the token of the query, and answers 204 or 403.
 */
import { createServer } from 'node:http';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL);

const server = createServer(async (request, response) => {
  const token = new URL(request.headers['x-original-uri'] ?? '/', 'http://localhost').searchParams.get('token');
  const subject = await redis.getdel(`token:${token}`);
  if (subject === null) return response.writeHead(403).end();
  response.writeHead(204, { 'X-Subject': subject }).end();
});

redis.once('ready', () => server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`)));
