// An unmodified client that says each time when data come, and ends when it has
// come back by itself.
const WebSocket = require('ws');
const [, , kind, gateway, port, key] = process.argv;
let connections = 0;

function data(connection) {
  if (connection <= connections) return;
  connections = connection;
  console.log('data', connection);
  if (connection === 2) process.exit(0);
}

function final(why) {
  console.log('final', why);
  process.exit(1);
}

let connection = 0;
if (kind === 'graphql-ws') {
  const { createClient } = require('graphql-ws');
  const client = createClient({
    url: `ws://${gateway}/ws?api_key=${key}&url=${encodeURIComponent(`ws://127.0.0.1:${port}/graphql`)}`,
    webSocketImpl: WebSocket,
    on: {
      connected: () => connection++,
      closed: (event) => console.log('closed', event.code),
    },
  });
  client.subscribe({ query: 'subscription { tick }' }, {
    next: () => data(connection),
    error: (err) => final(err.code ?? err.message),
    complete: () => final('complete'),
  });
} else {
  const { io } = require('socket.io-client');
  const socket = io(`ws://${gateway}`, {
    path: '/ws',
    query: { url: `ws://127.0.0.1:${port}/socket.io/`, api_key: key },
    transports: ['websocket'],
  });
  socket.on('connect', () => connection++);
  socket.on('tick', () => data(connection));
  socket.on('disconnect', (reason) => {
    console.log('closed', reason);
    if (reason === 'io server disconnect') final(reason);
  });
}
