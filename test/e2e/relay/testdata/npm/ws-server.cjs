// A server of the ws package: it echoes, and closes when it is asked to.
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
});
server.on('listening', () => console.log('listening on', server.address().port));
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => {
    if (!isBinary && data.toString() === 'please close') {
      socket.close(4321, 'as you like');
      return;
    }
    socket.send(data, { binary: isBinary });
  });
  socket.on('close', (code, reason) => console.log('closed', code, reason.toString()));
});
