// A Socket.IO server: it acknowledges, pushes, and takes binary data.
const http = require('node:http');
const { Server } = require('socket.io');

const server = http.createServer();
const io = new Server(server, { transports: ['websocket'] });
io.on('connection', (socket) => {
  socket.on('add', (a, b, answer) => answer(a + b));
  socket.on('reverse', (data, answer) => answer(Buffer.from(data).reverse()));
  socket.on('push', () => [1, 2, 3].forEach((n) => socket.emit('tick', n)));
  socket.on('disconnect', (reason) => console.log('disconnected', reason));
});
server.listen(0, '127.0.0.1', () => console.log('listening on', server.address().port));
