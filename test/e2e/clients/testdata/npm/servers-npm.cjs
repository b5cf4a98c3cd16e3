// Servers that npm has.
const { WebSocketServer, createWebSocketStream } = require('ws');

exports.socketio = (server) => {
  const { Server } = require('socket.io');
  const io = new Server(server, { cookie: { name: 'io', path: '/' } });
  io.on('connection', (socket) => {
    const timer = setInterval(() => socket.emit('tick'), 100);
    socket.on('disconnect', () => clearInterval(timer));
    socket.on('add', (a, b, answer) => answer(a + b));
    socket.on('reverse', (data, answer) => answer(Buffer.from(data).reverse()));
    socket.on('cookies', (answer) => answer(socket.request.headers.cookie ?? 'none'));
    socket.on('lose', () => socket.conn.close()); // as a lost connection looks to the client
  });
};

exports.graphql = (server) => {
  const { GraphQLSchema, GraphQLObjectType, GraphQLInt, GraphQLString } = require('graphql');
  const { useServer } = require('graphql-ws/lib/use/ws');
  const sleep = () => new Promise((resolve) => setTimeout(resolve, 100));
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
              await sleep();
            }
          },
        },
      },
    }),
  });
  useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));
};

exports.sockjs = (server) => {
  const sockjs = require('sockjs').createServer({ log() {} });
  sockjs.on('connection', (connection) => connection.on('data', (data) => connection.write(`echo ${data}`)));
  sockjs.installHandlers(server, { prefix: '/echo' });
};

exports.mqtt = async (server) => {
  const { Aedes } = require('aedes');
  const broker = await Aedes.createBroker();
  const timer = setInterval(() => broker.publish({ topic: 'tick', payload: 'tick' }), 100);
  timer.unref();
  const wss = new WebSocketServer({ server, handleProtocols: (offered) => offered.has('mqtt') && 'mqtt' });
  wss.on('connection', (socket, req) => {
    const stream = createWebSocketStream(socket);
    stream.on('error', () => {}); // the connection was reset
    broker.handle(stream, req);
  });
};
