// A graphql-ws server and a Socket.IO server on one port. SIGUSR2 resets all of
// their connections.
const http = require('node:http');
const { WebSocketServer } = require('ws');
const { useServer } = require('graphql-ws/lib/use/ws');
const { Server } = require('socket.io');
const { GraphQLSchema, GraphQLObjectType, GraphQLInt, GraphQLString } = require('graphql');

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString, resolve: () => 'world' } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      tick: {
        type: GraphQLInt,
        subscribe: async function* () {
          for (let tick = 1; ; tick++) {
            yield { tick };
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
        },
      },
    },
  }),
});

const server = http.createServer();
const graphql = new WebSocketServer({ noServer: true });
useServer({ schema }, graphql);
const io = new Server(server);
io.on('connection', (socket) => {
  const timer = setInterval(() => socket.emit('tick'), 100);
  socket.on('disconnect', () => clearInterval(timer));
});
server.on('upgrade', (req, socket, head) => {
  if (req.url.startsWith('/graphql')) graphql.handleUpgrade(req, socket, head, (ws) => graphql.emit('connection', ws, req));
});

const sockets = new Set();
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
process.on('SIGUSR2', () => sockets.forEach((socket) => socket.resetAndDestroy()));
server.listen(0, '127.0.0.1', () => console.log('listening on', server.address().port));
