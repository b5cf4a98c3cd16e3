// A Socket.IO client that knows of the gateway by path and query alone.
const { io } = require('socket.io-client');

const [, , gateway, target, key] = process.argv;
const socket = io(gateway, {
  path: '/ws',
  query: { url: target, api_key: key },
  transports: ['websocket'],
  reconnection: false,
});

socket.on('connect_error', (err) => {
  console.log('error', err.message);
  process.exit(1);
});
socket.on('connect', async () => {
  console.log('connected by', socket.io.engine.transport.name);
  console.log('sum', await socket.emitWithAck('add', 19, 23));
  console.log('reversed', Buffer.from(await socket.emitWithAck('reverse', Buffer.from('farwire'))).toString());
  socket.on('tick', (n) => {
    console.log('tick', n);
    if (n === 3) socket.disconnect();
  });
  socket.emit('push');
});
socket.on('disconnect', (reason) => console.log('disconnected', reason));
