// A client of the ws package. Arguments: the address, and the connect message
// where the address is not the direct form.
const WebSocket = require('ws');
const crypto = require('node:crypto');

const [, , address, connect] = process.argv;
const offered = connect ? [] : ['chat.v1', 'chat.v2'];
const socket = new WebSocket(address, offered);
const big = crypto.randomBytes(3 << 20);

socket.on('error', (err) => {
  console.log('error', err.message);
  process.exit(1);
});
socket.on('unexpected-response', (request, response) => {
  console.log('answered', response.statusCode);
  process.exit(1);
});
socket.on('upgrade', (response) => {
  if (!connect) console.log('node', response.headers['x-farwire-node']);
});
socket.on('open', () => {
  console.log('subprotocol', socket.protocol || 'none');
  if (connect) socket.send(connect);
  else socket.send(big);
});
let connected = !connect;
socket.on('message', (data, isBinary) => {
  if (!connected) {
    console.log('first', data.toString());
    connected = true;
    socket.send(big);
    return;
  }
  console.log('binary', isBinary, 'same', big.equals(data));
  socket.send('please close');
});
socket.on('close', (code, reason) => console.log('closed', code, reason.toString()));
