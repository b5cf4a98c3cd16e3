// A tunnel over HTTP/2 (RFC 9113, section 8.5), with TLS to the target inside.
// Arguments: the proxy's address, its credentials, the target's host and port.
const fs = require('node:fs');
const http2 = require('node:http2');
const tls = require('node:tls');

const [, , proxy, credentials, target] = process.argv;
const session = http2.connect(proxy);
const stream = session.request({
  ':method': 'CONNECT',
  ':authority': target,
  'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}`,
});
stream.on('response', (headers) => {
  console.log('status', headers[':status'], 'node', headers['x-farwire-node']);
  if (headers[':status'] !== 200) return session.close();
  const socket = tls.connect({ socket: stream, host: '127.0.0.1' });
  socket.on('secureConnect', () => socket.write(`GET /h2 HTTP/1.1\r\nHost: ${target}\r\nConnection: close\r\n\r\n`));
  let answer = '';
  socket.on('data', (data) => (answer += data));
  socket.on('end', () => {
    console.log(answer.split('\r\n\r\n')[1]);
    session.close();
  });
});
