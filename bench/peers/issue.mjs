/**
 * Issues tickets as one would without Oncegate: checks a header, writes a hash that expires, answers.
 *
 *   node issue.mjs             node:http
 *   node issue.mjs --express   express with helmet and its JSON parser
 *
 * REDIS_URL is where the tickets go; AUTHORIZATION is the one header value accepted.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import express from 'express';
import helmet from 'helmet';
import { Redis } from 'ioredis';

const TTL_MS = 30_000;
const { REDIS_URL, AUTHORIZATION } = process.env;
const redis = new Redis(REDIS_URL);

async function issue() {
  const id = randomBytes(16).toString('base64url');
  const secret = randomBytes(24).toString('base64url');
  const fields = { subject: 'ada', secret_sha256: createHash('sha256').update(secret).digest('hex'), state: 'issued' };
  await redis.pipeline().hset(`ticket:${id}`, fields).pexpire(`ticket:${id}`, TTL_MS).exec();
  const expiresAt = new Date(Date.now() + TTL_MS).toISOString();
  return { id, ticket: `${id}.${secret}`, expires_in: TTL_MS / 1000, expires_at: expiresAt };
}

function plain(request, response) {
  if (request.headers.authorization !== AUTHORIZATION) return response.writeHead(401).end();
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', async () => {
    JSON.parse(body);
    const answer = JSON.stringify(await issue());
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(answer) };
    response.writeHead(201, headers).end(answer);
  });
}

function withExpress() {
  const app = express();
  app.use(helmet(), express.json());
  app.post('/tickets', async (request, response) => {
    if (request.headers.authorization !== AUTHORIZATION) return response.sendStatus(401);
    response.status(201).json(await issue());
  });
  return app;
}

const server = createServer(process.argv.includes('--express') ? withExpress() : plain);
redis.once('ready', () => server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`)));
