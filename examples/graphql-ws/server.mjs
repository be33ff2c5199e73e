import { createServer } from 'node:http';
import { buildSchema } from 'graphql';
import { useServer as serve } from 'graphql-ws/use/ws';
import { admitUpgrade } from 'oncegate/gateway';
import { WebSocketServer } from 'ws';

const { PORT = '3000' } = process.env;

const schema = buildSchema(`
  type Query { me: String! }
  type Subscription { countdown(from: Int!): Int! }
`);

const server = createServer((_request, response) => response.end('GraphQL over WebSocket is here.\n'));
const wss = new WebSocketServer({ noServer: true, maxPayload: 65_536 });

const admit = admitUpgrade();
server.on('upgrade', async (request, socket, head) => {
  if (await admit(request, socket, head)) {
    wss.handleUpgrade(request, socket, head, (client) => wss.emit('connection', client, request));
  }
});

const graphql = serve(
  {
    schema,
    // The context of resolvers: whom the connection acts for.
    context: ({ extra: { request } }) => request.oncegate,
    roots: {
      query: { me: (_arguments, { subject, clientClaims }) => clientClaims.name ?? subject },
      subscription: {
        async *countdown({ from }) {
          for (let left = from; left >= 0; left -= 1) yield { countdown: left };
        },
      },
    },
  },
  wss,
);

server.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`ws://localhost:${server.address().port}\n`);
});
process.once('SIGTERM', async () => {
  await admit.close(); // refuses new upgrades with 503, closes open connections with 1012
  await graphql.dispose();
  server.close();
  server.closeAllConnections();
});
