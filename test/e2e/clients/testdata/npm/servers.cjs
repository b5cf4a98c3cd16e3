// The servers that the clients want, each on a port of its own: those of npm, and
// small ones that follow their protocol's text. With TLS_CERT and TLS_KEY all of them
// speak TLS. SIGUSR2 resets every connection.
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const { TLS_CERT, TLS_KEY } = process.env;
const tls = TLS_CERT && { cert: fs.readFileSync(TLS_CERT), key: fs.readFileSync(TLS_KEY) };
const sockets = new Set();
const ports = {};

// serve starts a server and lets install make it one of a protocol.
function serve(name, install) {
  const server = tls ? https.createServer(tls) : http.createServer();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return Promise.resolve(install(server)).then(
    () => new Promise((done) => server.listen(0, '127.0.0.1', () => done((ports[name] = server.address().port)))),
  );
}

process.on('SIGUSR2', () => sockets.forEach((socket) => socket.resetAndDestroy()));

(async () => {
  for (const [name, install] of Object.entries({
    ...require('./servers-npm.cjs'),
    ...require('./servers-small.cjs'),
    signalr: require('./server-signalr.cjs'),
  })) await serve(name, install);
  console.log('serving', JSON.stringify(ports));
})();
